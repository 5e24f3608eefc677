//! A number to reach, as a text says it. Pure.

/// What is merely counted has no unit: the name says what is counted.
const COUNT: &str = "count";

/// `orders: 350`, `response rate: 5%`, `evening stays: 600 (nights)`. A unit stands in brackets as the client wrote it, so that
/// no program has to decline it after a number, in whatever language; one that says what the name says is not said again.
pub fn measured(name: &str, target: i64, unit: &str) -> String {
    let (name, unit) = (name.trim().replace('_', " "), unit.trim().replace('_', " "));
    match unit.to_lowercase().as_str() {
        "" | COUNT => format!("{name}: {target}"),
        "%" | "percent" => format!("{name}: {target}%"),
        said if said == name.to_lowercase() => format!("{name}: {target}"),
        _ => format!("{name}: {target} ({unit})"),
    }
}

#[cfg(test)]
mod tests {
    use super::measured;

    #[test]
    fn a_unit_is_said_where_it_says_something_and_is_never_declined() {
        let table = [
            (("orders", 350, "count"), "orders: 350"),
            (("repair_course_places", 1, "COUNT"), "repair course places: 1"),
            (("posts", 1, "posts"), "posts: 1"),
            (("Beiträge", 1, "beiträge"), "Beiträge: 1"),
            (("reach", 1, "posts"), "reach: 1 (posts)"),
            (("plays", 4, "per_week"), "plays: 4 (per week)"),
            (("share", 5, "percent"), "share: 5%"),
            (("share", 5, "%"), "share: 5%"),
            (("平日の宿泊数", 600, "泊"), "平日の宿泊数: 600 (泊)"),
            (("demos", 7, " "), "demos: 7"),
        ];
        for ((name, target, unit), said) in table {
            assert_eq!(measured(name, target, unit), said);
        }
    }
}
