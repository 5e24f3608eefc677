//! What a reader of JSON says of a value it cannot read, in words that the author of the value understands. Pure.

/// Words of the reader's language, and what they are to people.
const KINDS: [(&str, &str); 16] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0 on"),
    ("usize", "a whole number from 0 on"),
    ("i8", "a whole number from -128 to 127"),
    ("i16", "a whole number from -32768 to 32767"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a nonzero u32", "a whole number from 1 to 4294967295"),
    ("a nonzero u64", "a whole number from 1 on"),
    ("a string", "a text"),
    ("a boolean", "true or false"),
    ("unit", "nothing (null)"),
];
/// Beginnings of what a reader calls a value that it met.
const MET: [(&str, &str); 8] = [
    ("string", "a text"),
    ("integer", "a number"),
    ("floating point", "a number with a fraction"),
    ("number", "a number"),
    ("boolean", "true or false"),
    ("sequence", "a list"),
    ("map", "an object"),
    ("null", "nothing (null)"),
];

/// The message of a reader without its line, its types and its marks; one that is of no known form stays as it is.
pub fn plain(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        return rest.rsplit_once(", expected ").map_or(message.to_owned(), |(met, wanted)| {
            let met = MET.iter().find(|(word, _)| met.starts_with(word)).map_or(met, |(_, said)| *said);
            format!("expected {}, and not {met}", kind(wanted))
        });
    }
    if let Some((_, wanted)) = message.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!("expected {}", kind(wanted));
    }
    if let Some((_, wanted)) = message.strip_prefix("invalid length ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!("expected {}", kind(wanted));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("the field \"{}\" is missing", name.trim_matches('`'));
    }
    if let Some(name) = message.strip_prefix("duplicate field ") {
        return format!("the field \"{}\" stands there twice", name.trim_matches('`'));
    }
    if message.starts_with("data did not match any variant") {
        return "expected a value of another kind".to_owned();
    }
    for (mark, what) in [("unknown field ", "field"), ("unknown variant ", "word")] {
        let Some(rest) = message.strip_prefix(mark) else { continue };
        let (name, known) = rest.split_once("`, ").unwrap_or((rest, ""));
        let known = known.trim_start_matches("expected ").trim_start_matches("one of ").replace('`', "");
        let only =
            if known.is_empty() || known == "there are no fields" { String::new() } else { format!(", only {known}") };
        return format!("there is no {what} \"{}\" here{only}", name.trim_matches('`'));
    }
    message.to_owned()
}

fn kind(wanted: &str) -> &str {
    let known = KINDS.iter().find(|(word, _)| *word == wanted).map(|(_, said)| *said);
    known.unwrap_or(match wanted {
        "a map" => "an object with fields",
        _ if wanted.starts_with("struct ") || wanted.starts_with("internally tagged") => "an object with fields",
        _ if wanted == "a sequence" || wanted.starts_with("tuple ") => "a list",
        _ => wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_message_speaks_of_types() {
        for (message, said) in [
            (
                "invalid type: string \"x, expected y\", expected u32 at line 1 column 4",
                "expected a whole number from 0 to 4294967295, and not a text",
            ),
            (
                "invalid type: floating point `1.5`, expected i64",
                "expected a whole number, and not a number with a fraction",
            ),
            ("invalid type: null, expected a string", "expected a text, and not nothing (null)"),
            ("invalid type: map, expected a sequence", "expected a list, and not an object"),
            ("invalid type: integer `7`, expected struct Order", "expected an object with fields, and not a number"),
            ("invalid value: integer `-1`, expected u32", "expected a whole number from 0 to 4294967295"),
            ("invalid length 0, expected struct Order with 1 element", "expected an object with fields"),
            ("missing field `minor`", "the field \"minor\" is missing"),
            ("duplicate field `minor`", "the field \"minor\" stands there twice"),
            (
                "unknown field `x`, expected `minor` or `currency`",
                "there is no field \"x\" here, only minor or currency",
            ),
            ("unknown field `x`, expected one of `a`, `b`, `c`", "there is no field \"x\" here, only a, b, c"),
            ("unknown field `x`, there are no fields", "there is no field \"x\" here"),
            ("unknown variant `x`, expected `A` or `B`", "there is no word \"x\" here, only A or B"),
            ("data did not match any variant of untagged enum Text", "expected a value of another kind"),
            ("expected a time of day", "expected a time of day"),
        ] {
            assert_eq!(plain(message), said);
        }
    }
}
