//! Joining without an invitation to one's own address: links that several people can use, domains whose people join by
//! themselves, and the pages of whoever joins.

pub mod api;
pub mod domains;
mod forms;
pub mod links;
pub mod list;
pub mod recipient;
