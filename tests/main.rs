//! Every integration test, in one binary: one link, one template database, one list of files.
//!
//! See `tests/README.md` for how to write one; `bin/test` runs them all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

// A file a noun.
mod abuse; // what real products got wrong, line by line
mod access; // effective access, previews, undo
mod account_keys; // API keys of the account: created, renamed, revoked, without access to workspaces
mod accounts; // the tenant: its people, its admins, and who may create workspaces
mod activity; // what happened: shown, filtered, paged
mod administration; // who administers the account, and how an Owner gets it
mod api; // what programs do: documented commands, versions, repeated requests, limits
mod api_keys; // principals without a person: admitted, bounded, ended
mod api_matrix; // every route for programs × every key × own, another's, unknown
mod api_parity; // a page and a call get the same verdict
mod api_schema; // schemathesis over the document, and the usso client
mod archive; // exports of a workspace, imported into either database
mod arrows; // the imports of src: no circle, no arrow up
mod asking; // requests for access: asked, shortened, declined, accepted by the ordinary change
mod audit; // the record: what alters it is refused, or found
mod backup; // backups while it serves, restored into either database
mod browser; // what only a real browser shows
mod bulk; // many members or invitations changed at once
mod clients; // generated clients, and the document under Spectral's rules
mod confirmation; // whose an address is: the link that confirms it, in this browser and in others
mod cors; // pages of other websites call: where the workspace names the website, and nowhere else
mod crawl; // a form is on a page if and only if its POST is allowed
mod decisions; // access checks of services: OpenID AuthZEN, and reasons
mod deletion; // a workspace that is deleted: refused everywhere, restored, and gone after 30 days
mod demo; // four months of a workspace, created as by requests
mod deploy; // proxies and systemd, as docs/deploy and packaging configure them
mod durability; // kill -9 while writing
mod ends; // access with an end: from that moment on as if it had been taken away
mod entering; // users whom a service enters, and the people whose addresses these are
mod exposure; // what one permission shows, on pages and by API
mod gallery; // every page in every state, for pages.rs
mod gateway; // requests of keys to destinations: who may send, what passes, slow and vanished ends
mod interop; // public vectors of AuthZEN, against workspaces built for them
mod invitations; // from the offer to the membership
mod jobs; // what whoever runs a workspace does every day, click by click
mod keyboard; // the product without a mouse
mod mail; // the outbox, to files and to a real SMTP server
mod matrix; // every route × everyone × own, another's, unknown
mod members; // the list, roles, suspension, removal, transfer of ownership
mod monitoring; // metrics, alerts, the log, traces
mod nodes; // two nodes on one database, behind a round-robin
mod notices; // mail about oneself and what one is responsible for, the weekly summary, and how it is stopped
mod nouns; // what the walkers have to know of each noun, a file a noun
mod offboarding; // all that a person has, ended in one place
mod organization; // the workspace's name, address and deletion
mod outages; // a database that is away, full, locked, replaced or only read
mod outbound; // requests to hosts of the internet: where none goes, what is sent, how long it may take
mod overview; // counts, recent changes, what needs attention
mod own_deletion; // a person deletes their sign-in: when they may, what ends, and what is left of them
mod pages; // every page in a real browser: accessible, valid, whole on a phone, by keyboard
mod people; // sign-up, sign-in, passwords, addresses, sessions
mod plans; // the database explains every statement: none goes through everything
mod policy; // the ceiling, as properties of the pure rules
mod postgres; // PostgreSQL as it is sold: TLS, sockets, passwords, poolers
mod presets; // technical and billing work, separate from the start or later
mod quick_start; // four services in ten lines each, run as they are in docs/quick-start
mod races; // twenty at once, on real connections
mod refusals; // what a refusal looks like, and its links
mod roles; // created, renamed, edited, compared, deleted
mod security; // one row a permission, saved at once
mod sequences; // random calls against a model of the rules: nobody comes to hold what nobody could give
mod settings; // settings as people write them: read, refused, checked
mod statements; // how many SQL statements a page costs
mod strangers; // what the API says to programs that meet it for the first time
mod stripe; // payments: collected once, whatever Stripe says, in what order, or does not
mod support;
mod teams; // people who belong together, and the roles that come with it
mod toggles; // each row of the Security page opens and closes what it guards
mod tolerance; // slashes, cases, nulls: what is meant all the same
mod upgrade; // a database of an earlier version
mod visits; // bytes over the wire, and nothing that jumps
mod walk; // what nouns declare, and what walks it
mod windows; // two tabs: links side by side, sign-in twice, forms that come back filled in
mod world; // a filled workspace, for the tests that walk it
