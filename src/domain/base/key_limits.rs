//! What limits an API key in a workspace, beside its roles.
//!
//! A key holds its roles, but no more than the person who vouches for it there, who is the one who last gave
//! it these roles; and a secret of it is worth no more there than whoever was shown it holds, if they are
//! or were a member. Both are read at the moment of the request, so that a change of roles, a suspension, a lost
//! team or a removal acts on keys at once. A test key holds one scope of its roles, and nothing else.

use crate::{
    domain::base::role::{self, Role, Roles},
    policy::Holdings,
};

/// The roles of whoever vouches for a key at the time `$now`, as SQL text; `$member` is the alias of the key's
/// membership. NULL where the voucher is no active member.
macro_rules! voucher_roles {
    ($member:literal, $now:literal) => {
        concat!(
            "(SELECT ",
            $crate::domain::base::ends::held_roles!("v", $now),
            " FROM members v JOIN users vu ON vu.id = v.user_id AND vu.suspended_at IS NULL
                WHERE v.workspace_id = ",
            $member,
            ".workspace_id AND v.user_id = ",
            $member,
            ".vouched_by AND v.status = 'active' AND ",
            $crate::domain::base::ends::lasts!("v", $now),
            ")"
        )
    };
}
pub(in crate::domain) use voucher_roles;

/// The roles of the person `$reader`, who was shown a secret of the key with the membership `$member`, at the time
/// `$now`, as SQL text. Empty for one who is suspended, was removed, whose access ended or who deleted their sign-in; NULL for another who never
/// was a member, which limits nothing.
macro_rules! reader_roles {
    ($member:literal, $reader:expr, $now:literal) => {
        concat!(
            "COALESCE((SELECT CASE WHEN n.status = 'active' AND nu.suspended_at IS NULL AND ",
            $crate::domain::base::ends::lasts!("n", $now),
            " THEN ",
            $crate::domain::base::ends::held_roles!("n", $now),
            " ELSE '' END
                FROM members n JOIN users nu ON nu.id = n.user_id
                WHERE n.workspace_id = ",
            $member,
            ".workspace_id AND n.user_id = ",
            $reader,
            "), (SELECT CASE WHEN f.secrets_until > ",
            $now,
            " THEN f.role_set ELSE '' END FROM former_members f
                WHERE f.workspace_id = ",
            $member,
            ".workspace_id AND f.user_id = ",
            $reader,
            "), (SELECT '' FROM users du WHERE du.deleted_at IS NOT NULL AND du.id = ",
            $reader,
            "))"
        )
    };
}
pub(in crate::domain) use reader_roles;

/// The one scope that the key with the membership `$member` holds, as SQL text; NULL for all of its roles.
macro_rules! only_scope {
    ($member:literal) => {
        concat!("(SELECT ok.only_scope FROM api_keys ok WHERE ok.id = ", $member, ".api_key_id)")
    };
}
pub(in crate::domain) use only_scope;

/// The columns of [`KeyLimits`], as SQL text.
macro_rules! key_limits {
    ($member:literal, $reader:expr, $now:literal) => {
        concat!(
            $crate::domain::base::key_limits::voucher_roles!($member, $now),
            " AS voucher_roles, ",
            $crate::domain::base::key_limits::reader_roles!($member, $reader, $now),
            " AS reader_roles, ",
            $crate::domain::base::key_limits::only_scope!($member),
            " AS only_scope"
        )
    };
}
pub(in crate::domain) use key_limits;

/// The person who was shown the newest secret of the key with the id `$key`, as SQL text.
macro_rules! newest_reader {
    ($key:literal) => {
        concat!(
            "(SELECT ns.shown_to FROM api_key_secrets ns WHERE ns.api_key_id = ",
            $key,
            " ORDER BY ns.created_at DESC LIMIT 1)"
        )
    };
}
pub(in crate::domain) use newest_reader;

/// Whether the key `k` has the rights of an account admin by a secret that `$reader` was shown, as SQL text: only as
/// long as they are one.
macro_rules! key_admin {
    ($reader:literal) => {
        concat!(
            "(k.is_admin AND EXISTS (SELECT 1 FROM account_people ap
                JOIN users au ON au.id = ap.user_id AND au.suspended_at IS NULL
                WHERE ap.account_id = k.account_id AND ap.user_id = ",
            $reader,
            " AND ap.is_admin))"
        )
    };
}
pub(in crate::domain) use key_admin;

/// Who limits a key, so that it holds less than its roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitedBy {
    /// The person who vouches for it holds less.
    pub voucher: bool,
    /// The person who was shown its newest secret holds less.
    pub reader: bool,
    /// It is a test key, which was created with one scope.
    pub scope: bool,
}

impl LimitedBy {
    /// Whether a person limits it, which somebody can mend. A test key is as it should be.
    pub fn is_limited(self) -> bool {
        self.voucher || self.reader
    }

    /// Whether it holds less than its roles.
    pub fn holds_less(self) -> bool {
        self.is_limited() || self.scope
    }
}

/// What limits a key, as [`key_limits`] reads it: slugs of roles, apart by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    pub(in crate::domain) voucher_roles: Option<String>,
    pub(in crate::domain) reader_roles: Option<String>,
    pub(in crate::domain) only_scope: Option<String>,
}

impl KeyLimits {
    /// What the voucher holds, and the reader of the secret; `None` where it limits nothing.
    fn each(&self, held: &[&Role], all: &Roles) -> [Option<Holdings>; 2] {
        let voucher = self.voucher_roles.as_deref().unwrap_or_default();
        [Some(voucher), self.reader_roles.as_deref()].map(|slugs| {
            let roles = all.parse_slugs(slugs?);
            let is_limit = !held.iter().all(|role| roles.iter().any(|other| other.id == role.id));
            (is_limit && !roles.iter().any(|role| role.is_owner)).then(|| role::holdings(&roles))
        })
    }

    /// What a key with these roles holds in effect.
    pub(in crate::domain) fn holdings(&self, held: &[&Role], all: &Roles) -> Holdings {
        let [voucher, reader] = self.each(held, all);
        let scope = self.only_scope.as_deref().map(|scope| Holdings::of(false, [scope]));
        let limits = [voucher, reader, scope];
        if limits.iter().all(Option::is_none) {
            return role::holdings(held);
        }
        let slugs: Vec<&str> = held.iter().map(|role| role.slug.as_str()).collect();
        let Self { voucher_roles, reader_roles, only_scope } = self;
        all.limited(format!("{};{voucher_roles:?};{reader_roles:?};{only_scope:?}", slugs.join(" ")), || {
            let limits = limits.into_iter().flatten();
            limits.fold(role::holdings(held), |holdings, limit| holdings.intersection(&limit))
        })
    }

    /// Who limits a key with these roles.
    pub(in crate::domain) fn limited_by(&self, held: &[&Role], all: &Roles) -> LimitedBy {
        let own = role::holdings(held);
        let [voucher, reader] =
            self.each(held, all).map(|limit| limit.is_some_and(|limit| !limit.contains(&own)));
        LimitedBy { voucher, reader, scope: self.only_scope.is_some() }
    }
}
