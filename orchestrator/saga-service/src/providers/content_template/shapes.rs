//! What each format makes of the same sentences: a letter is no post, and a film has scenes.

use super::frames::Frame;

/// Three seconds a scene: a reel is over before anybody has scrolled on.
const REEL_SCENE_S: usize = 3;
/// Eight seconds a scene: a sentence, spoken without haste.
const VIDEO_SCENE_S: usize = 8;

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A whole draft: paragraphs.
    Draft,
    /// Lines under each other.
    Post,
    /// A sentence or two, each with air around it.
    Story,
    /// A salutation, paragraphs, the call, and a name below.
    Letter,
    /// Numbered slides, one thought each.
    Slides,
    /// Posts that count themselves.
    Thread,
    /// Scenes with the time at which each begins.
    Scenes {
        /// How long one takes.
        seconds: usize,
    },
}

/// What stands around the sentences of a letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// The first line.
    pub(super) greeting: Option<String>,
    /// What the reader is asked to do.
    pub(super) call: String,
    /// The last lines.
    pub(super) closing: Option<String>,
}

impl Shape {
    /// The shape of a format; any other format is a post.
    pub(super) fn of(format: &str) -> Self {
        match format {
            "email" => Shape::Letter,
            "story" => Shape::Story,
            "carousel" => Shape::Slides,
            "thread" => Shape::Thread,
            "reel" => Shape::Scenes { seconds: REEL_SCENE_S },
            "video" => Shape::Scenes { seconds: VIDEO_SCENE_S },
            _ => Shape::Post,
        }
    }

    /// How many sentences it has, where there is room for them.
    pub(super) fn sentences(self) -> usize {
        match self {
            Shape::Story => 1,
            Shape::Post => 3,
            Shape::Slides | Shape::Thread | Shape::Scenes { .. } => 4,
            Shape::Letter => 5,
            Shape::Draft => usize::MAX,
        }
    }

    /// The text.
    pub(super) fn lay(self, parts: &[String], around: &Around) -> String {
        let each = |line: &dyn Fn(usize, &String) -> String, between: &str| {
            parts.iter().enumerate().map(|(at, part)| line(at, part)).collect::<Vec<_>>().join(between)
        };
        match self {
            Shape::Post => parts.join("\n"),
            Shape::Draft | Shape::Story => parts.join("\n\n"),
            Shape::Slides => each(&|at, part| format!("{}. {part}", at + 1), "\n"),
            Shape::Thread => each(&|at, part| format!("{part} ({}/{})", at + 1, parts.len()), "\n\n"),
            Shape::Scenes { seconds } => each(&|at, part| format!("{} {part}", time(at * seconds)), "\n"),
            Shape::Letter => {
                let call = Some(&around.call).filter(|call| !call.is_empty());
                let lines = around.greeting.iter().chain(parts).chain(call).chain(&around.closing);
                lines.cloned().collect::<Vec<_>>().join("\n\n")
            }
        }
    }

    /// The sentences of a text that was laid out so, and what stood around them. A part that a person has changed since
    /// is taken as it stands.
    pub(super) fn take_apart(self, text: &str, call: &str, frame: &Frame) -> (Vec<String>, Around) {
        let between = match self {
            Shape::Post | Shape::Slides | Shape::Scenes { .. } => "\n",
            Shape::Draft | Shape::Story | Shape::Thread | Shape::Letter => "\n\n",
        };
        let pieces = text.split(between).map(str::trim).filter(|piece| !piece.is_empty());
        let mut around = Around { call: call.to_owned(), ..Around::default() };
        let mut parts = Vec::new();
        for piece in pieces {
            match self {
                Shape::Letter if piece == frame.greeting => around.greeting = Some(piece.to_owned()),
                Shape::Letter if piece.starts_with(frame.closing) => around.closing = Some(piece.to_owned()),
                Shape::Letter if piece == call => {}
                Shape::Slides => parts.push(without_head(piece, ".").to_owned()),
                Shape::Scenes { .. } => parts.push(without_head(piece, ":").to_owned()),
                Shape::Thread => parts.push(without_count(piece).to_owned()),
                Shape::Draft | Shape::Post | Shape::Story | Shape::Letter => parts.push(piece.to_owned()),
            }
        }
        (parts, around)
    }
}

/// Minutes and seconds.
fn time(seconds: usize) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// `2. text` and `0:16 text` without what stands in front, if it is a number with this mark in it.
fn without_head<'a>(line: &'a str, mark: &str) -> &'a str {
    let numbered = |head: &str| head.contains(mark) && head.chars().all(|c| c.is_ascii_digit() || mark.contains(c));
    line.split_once(' ').filter(|(head, _)| numbered(head)).map_or(line, |(_, text)| text)
}

/// `text (1/3)` without the count.
fn without_count(line: &str) -> &str {
    let counted = |count: &str| count.contains('/') && count.chars().all(|c| c.is_ascii_digit() || c == '/');
    let cut = line.strip_suffix(')').and_then(|open| open.rsplit_once(" ("));
    cut.filter(|(_, count)| counted(count)).map_or(line, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::super::frames::FRAMES;
    use super::*;

    #[test]
    fn each_format_has_its_own_layout_and_can_be_taken_apart() {
        let parts = ["Bread: baked at night.", "Delivery included.", "Ask us (any day)."].map(str::to_owned).to_vec();
        let (greeting, closing) = (Some("Hello,".to_owned()), Some("Kind regards,\nFarol".to_owned()));
        let around = Around { greeting, call: "Write to us.".to_owned(), closing };
        let laid = [
            ("post", "Bread: baked at night.\nDelivery included.\nAsk us (any day)."),
            ("story", "Bread: baked at night.\n\nDelivery included.\n\nAsk us (any day)."),
            ("carousel", "1. Bread: baked at night.\n2. Delivery included.\n3. Ask us (any day)."),
            ("thread", "Bread: baked at night. (1/3)\n\nDelivery included. (2/3)\n\nAsk us (any day). (3/3)"),
            ("reel", "0:00 Bread: baked at night.\n0:03 Delivery included.\n0:06 Ask us (any day)."),
            ("video", "0:00 Bread: baked at night.\n0:08 Delivery included.\n0:16 Ask us (any day)."),
            (
                "email",
                "Hello,\n\nBread: baked at night.\n\nDelivery included.\n\nAsk us (any day).\n\nWrite to us.\n\nKind regards,\nFarol",
            ),
        ];
        for (format, text) in laid {
            let shape = Shape::of(format);
            assert_eq!(shape.lay(&parts, &around), text, "{format}");
            let (found, stood) = shape.take_apart(text, &around.call, &FRAMES[0]);
            assert_eq!(found, parts, "{format}");
            assert_eq!(shape.lay(&found, &stood), text, "{format}");
        }
        assert_eq!(time(61 * 60), "61:00");
    }

    #[test]
    fn what_a_person_wrote_is_not_mistaken_for_a_number() {
        let frame = &FRAMES[0];
        let apart = |format: &str, text: &str| Shape::of(format).take_apart(text, "Call.", frame).0;
        assert_eq!(apart("carousel", "1998. A year.\n2 halves make it"), ["A year.", "2 halves make it"]);
        assert_eq!(apart("video", "At 8:00 we open\n0:00 Open"), ["At 8:00 we open", "Open"]);
        assert_eq!(apart("thread", "Half (of it)\n\nmore (1/2"), ["Half (of it)", "more (1/2"]);
        assert_eq!(apart("email", "Hello, you,\n\nCall."), ["Hello, you,"]);
    }
}
