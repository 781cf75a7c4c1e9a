//! What a viewer may do, for the templates.

use super::{
    catalogue::{Permission, catalogue},
    holdings::Holdings,
};

macro_rules! can {
    ($( $group:ident { $( $name:ident $field:ident $scope:literal $label:literal [$($default:ident)*] $feature:ident $sentence:literal; )+ } )+) => {
        /// What the viewer may do, as templates ask it: `can.invite_members`.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Can { $($( pub $field: bool, )+)+ pub owner: bool }

        impl Can {
            /// The same verdicts that the server will give when the form arrives.
            pub fn of(holdings: &Holdings) -> Self {
                Self {
                    $($( $field: holdings.has(Permission::$name), )+)+
                    owner: holdings.is_owner(),
                }
            }
        }
    };
}
catalogue!(can);
