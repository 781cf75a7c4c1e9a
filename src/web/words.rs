/// "1 person", "2 people": a number with its noun.
pub(super) fn counted(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// How many members, people and keys, a change gave something to or took it from, in words.
pub(super) fn effect(gained: i64, lost: i64) -> String {
    let members = |count| counted(count, "member", "members");
    match (gained, lost) {
        (0, 0) => "nobody gained or lost it".to_owned(),
        (gained, 0) => format!("{} gained it", members(gained)),
        (0, lost) => format!("{} lost it", members(lost)),
        (gained, lost) => format!("{} gained it, {} lost it", members(gained), members(lost)),
    }
}
