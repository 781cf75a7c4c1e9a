//! The calls of Stripe that are made. Each that changes something takes a key: with the same one it is done once.

use crate::stripe::{
    client::Stripe,
    error::StripeError,
    objects::{CheckoutSession, Customer, Invoice, InvoiceItem, InvoiceList, PortalSession},
};

/// Who pays, as they are shown at Stripe.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// The id of the workspace, which Stripe keeps with the customer.
    pub workspace: String,
    pub name: String,
    /// May be empty.
    pub email: String,
}

/// An invoice to collect.
#[derive(Clone, Debug)]
pub struct NewInvoice<'a> {
    pub customer: &'a str,
    /// As people read it: `INV-000042`.
    pub number: &'a str,
    /// Our id of it, which Stripe keeps with it.
    pub invoice: &'a str,
    pub currency: &'a str,
}

impl Stripe {
    /// Creates a customer, without the address of e-mail where Stripe does not take it: it is only where its mail goes.
    ///
    /// # Errors
    /// [`StripeError`], as of every call here.
    pub async fn create_customer(&self, new: &NewCustomer, key: &str) -> Result<Customer, StripeError> {
        let known = [("name", new.name.as_str()), ("metadata[workspace]", new.workspace.as_str())];
        if new.email.is_empty() {
            return self.post("/v1/customers", &known, key).await;
        }
        let fields = [known[0], known[1], ("email", new.email.as_str())];
        match self.post("/v1/customers", &fields, key).await {
            Err(StripeError::Refused { code, .. }) if code == "email_invalid" => {
                self.post("/v1/customers", &known, &format!("{key}-without-email")).await
            }
            done => done,
        }
    }

    /// # Errors
    /// [`StripeError`].
    pub async fn customer(&self, id: &str) -> Result<Customer, StripeError> {
        self.get(&format!("/v1/customers/{id}")).await
    }

    /// Changes how a customer is called. An empty address removes the one that is there, and so does one that Stripe does
    /// not take.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn rename_customer(
        &self,
        id: &str,
        (name, email): (&str, &str),
        key: &str,
    ) -> Result<Customer, StripeError> {
        let path = format!("/v1/customers/{id}");
        match self.post(&path, &[("name", name), ("email", email)], key).await {
            Err(StripeError::Refused { code, .. }) if code == "email_invalid" => {
                self.post(&path, &[("name", name), ("email", "")], &format!("{key}-without-email")).await
            }
            done => done,
        }
    }

    /// Has all invoices charged to this payment method.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn use_method(&self, customer: &str, method: &str, key: &str) -> Result<Customer, StripeError> {
        let fields = [("invoice_settings[default_payment_method]", method)];
        self.post(&format!("/v1/customers/{customer}"), &fields, key).await
    }

    /// Opens a page of Checkout on which a payment method is saved. Both ends of it lead to `back`.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn open_checkout(
        &self,
        customer: &str,
        currency: &str,
        back: &str,
        key: &str,
    ) -> Result<CheckoutSession, StripeError> {
        let fields = [
            ("mode", "setup"),
            ("customer", customer),
            ("currency", currency),
            ("success_url", back),
            ("cancel_url", back),
        ];
        self.post("/v1/checkout/sessions", &fields, key).await
    }

    /// Reads a session of Checkout, with the payment method that was saved.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn checkout(&self, id: &str) -> Result<CheckoutSession, StripeError> {
        self.get(&format!("/v1/checkout/sessions/{id}?expand%5B%5D=setup_intent")).await
    }

    /// Opens a page of the customer portal, on which payment methods are changed.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn open_portal(
        &self,
        customer: &str,
        back: &str,
        key: &str,
    ) -> Result<PortalSession, StripeError> {
        let fields = [("customer", customer), ("return_url", back)];
        self.post("/v1/billing_portal/sessions", &fields, key).await
    }

    /// Creates an invoice without items, which Stripe leaves alone until it is finalized.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_invoice(&self, new: &NewInvoice<'_>, key: &str) -> Result<Invoice, StripeError> {
        let fields = [
            ("customer", new.customer),
            ("number", new.number),
            ("currency", new.currency),
            ("collection_method", "charge_automatically"),
            ("auto_advance", "false"),
            ("pending_invoice_items_behavior", "exclude"),
            ("metadata[invoice]", new.invoice),
        ];
        self.post("/v1/invoices", &fields, key).await
    }

    /// The latest invoices of a customer.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn latest_invoices(&self, customer: &str) -> Result<InvoiceList, StripeError> {
        self.get(&format!("/v1/invoices?customer={customer}&limit=30")).await
    }

    /// Puts the total on an invoice, as its only item.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn add_item(
        &self,
        invoice: &str,
        (customer, amount, currency): (&str, i64, &str),
        description: &str,
        key: &str,
    ) -> Result<InvoiceItem, StripeError> {
        let amount = amount.to_string();
        let fields = [
            ("customer", customer),
            ("invoice", invoice),
            ("amount", amount.as_str()),
            ("currency", currency),
            ("description", description),
        ];
        self.post("/v1/invoiceitems", &fields, key).await
    }

    /// Has Stripe collect an invoice from now on.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn finalize(&self, invoice: &str, key: &str) -> Result<Invoice, StripeError> {
        self.post(&format!("/v1/invoices/{invoice}/finalize"), &[("auto_advance", "true")], key).await
    }

    /// # Errors
    /// [`StripeError`].
    pub async fn invoice(&self, id: &str) -> Result<Invoice, StripeError> {
        self.get(&format!("/v1/invoices/{id}")).await
    }

    /// Tells Stripe that an invoice was paid in another way, so that it collects nothing.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn settle(&self, invoice: &str, key: &str) -> Result<Invoice, StripeError> {
        self.post(&format!("/v1/invoices/{invoice}/pay"), &[("paid_out_of_band", "true")], key).await
    }
}
