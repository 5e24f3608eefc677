//! How many commands of one module may be under way at once. Where some come too late to be begun, the line before the
//! module is longer than their time: half as many are sent, and one more each time that enough came in time.

/// One more after four whole windows in time, and never after fewer than 64: a trial costs a few commands of a hundred.
const WINDOWS_TO_GROW: usize = 4;
const LEAST_TO_GROW: usize = 64;

/// Few enough that nothing expires, as many as that allows, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    most: usize,
    limit: usize,
    /// How many came in time since it last grew, shrank or heard of one that did not.
    in_time: usize,
    /// How many were on their way when it shrank: what becomes of them says nothing about what it is now.
    before: usize,
}

impl Window {
    /// Wide open: so many, and never more.
    pub(super) fn of(most: usize) -> Self {
        let most = most.max(1);
        Self { most, limit: most, in_time: 0, before: 0 }
    }
    /// Whether one more may leave beside those that are under way.
    pub(super) fn has_room(&self, under_way: usize) -> bool {
        under_way < self.limit
    }
    /// A command came too late to be begun; so many were under way, that one among them.
    pub(super) fn expired(&mut self, under_way: usize) {
        self.in_time = 0;
        if self.before == 0 {
            self.limit = (self.limit.min(under_way) / 2).max(1);
            self.before = under_way;
        }
    }
    /// A command is no longer under way, however it ended.
    pub(super) fn left(&mut self) {
        if self.before > 0 {
            self.before -= 1;
            return;
        }
        self.in_time += 1;
        if self.limit < self.most && self.in_time >= LEAST_TO_GROW.max(self.limit * WINDOWS_TO_GROW) {
            (self.limit, self.in_time) = (self.limit + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line in which at most so many stand before their time is over; a command behind them expires.
    fn played(most: usize, bears: usize, rounds: usize) -> (Window, usize, usize) {
        let (mut window, mut expired, mut served) = (Window::of(most), 0, 0);
        let mut line = std::collections::VecDeque::new();
        for _ in 0..rounds {
            while window.has_room(line.len()) {
                line.push_back(line.len() >= bears);
            }
            let Some(late) = line.pop_front() else { break };
            if late {
                expired += 1;
                window.expired(line.len() + 1);
            } else {
                served += 1;
            }
            window.left();
        }
        (window, expired, served)
    }

    #[test]
    fn a_window_that_nothing_expires_in_stays_as_it_was() {
        let (window, expired, _) = played(256, 256, 100_000);
        assert_eq!((window, expired), (Window { in_time: 100_000, ..Window::of(256) }, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_is_never_shut_never_too_wide_and_comes_back(most in 1..300_usize, said in prop::collection::vec(any::<bool>(), 0..3_000)) {
            let (mut window, mut under_way) = (Window::of(most), 0);
            for late in said {
                while window.has_room(under_way) {
                    under_way += 1;
                }
                prop_assert!((1..=most).contains(&window.limit) && under_way >= 1);
                if late {
                    window.expired(under_way);
                }
                under_way -= 1;
                window.left();
            }
            for _ in 0..window.before + most * (most * WINDOWS_TO_GROW + LEAST_TO_GROW) {
                window.left();
            }
            prop_assert_eq!(window.limit, most, "after enough that came in time it is as wide as ever");
        }
        #[test]
        fn what_expires_becomes_rare_whatever_a_module_bears(most in 1..300_usize, bears in 1..300_usize) {
            let (window, expired, served) = played(most, bears, 50_000);
            prop_assert!(expired * 10 <= served + 10 * 2 * most, "{expired} expired, {served} served, {window:?}");
        }
    }
}
