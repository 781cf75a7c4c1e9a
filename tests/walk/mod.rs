//! What the nouns declare, and what walks it: the matrices, the crawl, the comparison of pages with
//! calls, the count of statements, the abuse cases of input and tenancy.
//!
//! `use crate::walk::*;` imports everything that a noun's file needs.
#![allow(unused_imports, reason = "a toolbox: not every noun needs every tool")]

mod attempt;
mod callers;
mod matrix;
mod offer;
mod param;
mod row;

pub use attempt::{Attempt, Caller, Entry, Kind, PLACES, Place, Verdict};
pub use callers::{key_callers, people_callers};
pub use matrix::Walk;
pub use offer::Offer;
pub use param::Param;
pub use row::*;

pub use crate::{
    gallery::{Demo, Names, Pictures, follow, submit},
    nouns::{Noun, Plans},
    plans::{HOME, Tour},
    support::{
        product::{BuiltIn, Holdings, Permission as P, Requirement},
        *,
    },
    world::*,
};
pub use async_trait::async_trait;
pub use serde_json::{Value, json};
pub use uuid::Uuid;
