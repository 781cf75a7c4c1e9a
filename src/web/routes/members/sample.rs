//! A page of members for `cargo bench`.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            key_limits::LimitedBy,
            role::{Assignable, Role},
        },
        nouns::members::Member,
    },
    policy::{BuiltIn, Holdings, Permission},
    web::{
        chrome::{Chrome, hue, initials},
        list::{ListState, Neighbours},
        routes::members::{
            list::{Index, SortLink},
            row::Row,
        },
        when::When,
    },
};
use askama::Template;
use uuid::Uuid;

pub(in crate::web) fn members(chrome: Chrome, rows: u8) -> impl Template + use<> {
    let base = "/w/sample/members".to_owned();
    let list = ListState::default();
    Index {
        chrome,
        problem: String::new(),
        rows: (0..rows).map(row).collect(),
        total: "10000 members".into(),
        roles: BuiltIn::ALL.map(option).into(),
        by_name: SortLink::of(&list, &base, "name", "ascending"),
        by_joined: SortLink::of(&list, &base, "joined", "descending"),
        by_active: SortLink::of(&list, &base, "active", "descending"),
        by_roles: SortLink::of(&list, &base, "roles", "ascending"),
        by_status: SortLink::of(&list, &base, "status", "ascending"),
        by_end: SortLink::of(&list, &base, "end", "ascending"),
        shows_ends: false,
        teams: Vec::new(),
        permissions: Permission::ALL.to_vec(),
        has_scopes: false,
        neighbours: Neighbours::sample(&base),
        offer: None,
        can_select: true,
        has_role_menus: true,
        has_menus: true,
        may_add: true,
        results: Vec::new(),
        mail_hint: None,
        base,
        list,
    }
}

fn row(number: u8) -> Row {
    let (name, id) = (format!("Member {number} of Sample"), Uuid::from_u128(number.into()));
    let since = i64::from(number) * DAY;
    let at = Timestamp::default() + since;
    Row {
        initials: initials(&name),
        hue: hue(id),
        joined: When::new(at, at + since),
        seen: Some(When::new(at, at + 1_000)),
        origin: "Invited by Sample Owner (owner@example.com)".into(),
        may_change_roles: true,
        may_suspend: true,
        may_remove: true,
        why_not: String::new(),
        why_not_short: "",
        not_selectable: String::new(),
        ends: None,
        what_ends: String::new(),
        through: String::new(),
        member: Member {
            id,
            user_id: Some(id),
            api_key_id: None,
            name,
            email: format!("member-{number}@example.com"),
            kind: "user".into(),
            is_active: true,
            is_you: number == 0,
            is_owner: false,
            is_last_owner: false,
            origin: "invitation".into(),
            invited_by: Some("Sample Owner (owner@example.com)".into()),
            joined_at: at,
            last_active_at: Some(at),
            roles: vec![role(BuiltIn::Viewer), role(BuiltIn::Editor)],
            own: [BuiltIn::Viewer, BuiltIn::Editor].map(|role| role.slug().to_owned()).into(),
            refused: None,
            limits: None,
            limited_by: LimitedBy::default(),
            is_awaited: false,
            access_until: None,
            next_end_at: None,
            grants: Vec::new(),
        },
    }
}

fn role(role: BuiltIn) -> Role {
    Role {
        id: Uuid::nil(),
        slug: role.slug().into(),
        name: role.name().into(),
        description: role.description().into(),
        built_in: true,
        is_owner: role == BuiltIn::Owner,
        holdings: Holdings::default(),
        application_scopes: Vec::new().into(),
    }
}

fn option(role: BuiltIn) -> Assignable {
    Assignable {
        slug: role.slug().into(),
        name: role.name().into(),
        description: role.description().into(),
        refused: None,
        permissions: 12,
        is_owner: role == BuiltIn::Owner,
    }
}
