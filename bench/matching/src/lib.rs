//! One policy for all: five roles with twelve grants each, and a principal who has all five.

/// The grants of role `n` of five: things of applications, one in four for any thing.
pub fn grants(role: usize) -> Vec<(String, String)> {
    (0..12)
        .map(|n| {
            let action = ["read", "write", "delete", "deploy"][n % 4];
            let thing = if n % 4 == 3 { "*".to_owned() } else { format!("thing-{role}-{n}") };
            (format!("{action}-{}", n / 4), thing)
        })
        .collect()
}

pub const ROLES: usize = 5;

/// What is asked: held by the last grant that is looked at, and by none.
pub const HELD: (&str, &str) = ("delete-2", "thing-4-10");
pub const NOT_HELD: (&str, &str) = ("delete-2", "nothing");
