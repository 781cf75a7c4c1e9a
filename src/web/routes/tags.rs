//! What the document of the API says of each noun: the tags of its operations.

/// The nouns with operations, each with a description.
pub(super) const TAGS: &[(&str, &str)] = &[
    (
        "workspaces",
        "Workspaces that the key is a member of. Everything but the account itself is in one of them.",
    ),
    ("departure", "The key itself leaves a workspace."),
    (
        "members",
        "Memberships of a workspace: people and API keys, with their roles. A suspended member keeps the roles and can't use them.",
    ),
    (
        "access-requests",
        "What members ask for: a scope or a role, with a reason and maybe an end. People ask; whoever can change member roles answers.",
    ),
    (
        "ownership-offers",
        "The pending offer to transfer the ownership of a workspace. Offers are made and accepted by people.",
    ),
    (
        "users",
        "People with a membership, under an ID that is the same in every workspace, or under one of your own.",
    ),
    ("teams", "Groups of people, who have the roles of their team in addition to their own."),
    ("invitations", "Offers of a membership to an e-mail address. They are kept in every state."),
    (
        "joining",
        "Links by which several people can join a workspace, and domains whose people can join by themselves. Each is worth what whoever answers for it could invite with.",
    ),
    ("roles", "Named sets of permissions, and of scopes that your applications define."),
    ("permissions", "What guards Bailiwick itself, and which roles have it."),
    (
        "API keys",
        "Keys of services: their secrets, their memberships, and the verification of a key that a service received.",
    ),
    ("resources", "Things of your applications that searches can return, and whose they are."),
    (
        "destinations",
        "Public hosts that a workspace allows, who may send requests to them, and the credentials that they are sent.",
    ),
    (
        "traffic",
        "Requests that went through the gateway to destinations, and those that were refused there. They are kept for 30 days, without bodies, queries and headers.",
    ),
    (
        "events",
        "What happens in a workspace, sent to a destination as signed webhooks (Standard Webhooks): which events, the secret, the log, and sending again.",
    ),
    (
        "credits",
        "What the workspace can use, when it expires, and a ledger of where it went. Requests that change something carry an ID of yours: sent again, they get the same response.",
    ),
    (
        "purchases",
        "Packs of credits, what was bought of them, and what the workspace allows. A purchase carries an ID of yours: sent again, it is not bought again.",
    ),
    (
        "billing",
        "The plan of the workspace and its seats, what they cost, and the invoices. Amounts are whole numbers of the smallest unit of the currency.",
    ),
    ("decisions", "OpenID AuthZEN 1.0: whether a subject can do an action on a resource, and why."),
    ("API document", "This document."),
    ("audit", "What happened in a workspace, and what was refused."),
    (
        "exports",
        "Lists as files: every row that the parameters let through, as CSV or JSON Lines. It takes the permission of the list, too, and both are checked again while the file is on its way: if one of them is gone, the response breaks off. An archive has the whole workspace.",
    ),
    ("support", "Requests to the people who run this installation, and their answers."),
];
