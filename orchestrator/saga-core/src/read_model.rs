//! A read model by name: what its documents are, by which of their fields they are searched, and a search of them.
//!
//! Invariant: a search names only fields by which its read model can be searched; another name does not compile.

use crate::batch::INDEX_FIELDS_MAX;
use crate::event::is_same;
use crate::ports::{FIND_LIMIT_MAX, Find};
use crate::projection::consumer_of;
use std::fmt::Display;
use std::marker::PhantomData;

/// The name of a read model over documents of type `Doc`: a constant of the module that keeps it. Its projection is built
/// from it, and so is every question.
pub struct ReadModel<Doc> {
    name: &'static str,
    version: u16,
    index: &'static [&'static str],
    document: PhantomData<fn() -> Doc>,
}
impl<Doc> Clone for ReadModel<Doc> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Doc> Copy for ReadModel<Doc> {}

impl<Doc> ReadModel<Doc> {
    /// Named `<module>.<noun>`, with the top-level fields of `Doc` that it can be searched by. Its version, from 1, grows when
    /// its fold or its shape changes.
    pub const fn new(name: &'static str, version: u16, index: &'static [&'static str]) -> Self {
        assert!(index.len() <= INDEX_FIELDS_MAX, "a read model has more index fields than a store keeps");
        Self { name, version, index, document: PhantomData }
    }
    /// `<module>.<noun>`.
    pub const fn name(self) -> &'static str {
        self.name
    }
    /// From 1.
    pub const fn version(self) -> u16 {
        self.version
    }
    pub(crate) const fn index(self) -> &'static [&'static str] {
        self.index
    }
    pub(crate) fn consumer(self, source: &str) -> String {
        consumer_of(self.name, self.version, source)
    }
    /// A field that it can be searched by. [`field!`](crate::field) asks this while the program is compiled.
    #[doc(hidden)]
    pub const fn field(self, name: &str) -> Field<Doc> {
        let mut number = 0;
        while number < self.index.len() && !is_same(self.index[number].as_bytes(), name.as_bytes()) {
            number += 1;
        }
        assert!(number < self.index.len(), "a field that its `ReadModel::new` does not name: nobody can search by it");
        Field { number, document: PhantomData }
    }
    /// All documents by key, at most [`FIND_LIMIT_MAX`].
    pub fn all(self) -> Search<Doc> {
        let find = Find {
            projection: self.name.to_owned(),
            version: self.version,
            filters: Vec::new(),
            order_by: None,
            descending: false,
            after: None,
            limit: FIND_LIMIT_MAX,
        };
        Search { find, document: PhantomData }
    }
}

/// A field that a read model can be searched by. Written by [`field!`](crate::field).
pub struct Field<Doc> {
    number: usize,
    document: PhantomData<fn() -> Doc>,
}

/// `field!(SHELF.status)`: the field `status` by which the read model `SHELF` can be searched. Another name does not compile:
///
/// ```compile_fail,E0080
/// use saga_core::read_model::ReadModel;
/// const SHELF: ReadModel<u32> = ReadModel::new("strategy.shelf", 1, &["status"]);
/// let wanted = SHELF.all().with(saga_core::field!(SHELF.state), "APPROVED");
/// ```
#[macro_export]
macro_rules! field {
    ($model:ident.$name:ident) => {
        const { $model.field(stringify!($name)) }
    };
}

/// A question to one read model.
pub struct Search<Doc> {
    find: Find,
    document: PhantomData<fn() -> Doc>,
}

impl<Doc> Search<Doc> {
    /// Only documents whose field has this value.
    #[must_use]
    pub fn with(mut self, field: Field<Doc>, value: impl Display) -> Self {
        self.find.filters.push((field.number, value.to_string()));
        self
    }
    /// The same, where a value is wanted at all.
    #[must_use]
    pub fn with_any(self, field: Field<Doc>, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(field, value),
            None => self,
        }
    }
    /// Ordered by a field, smallest first, and then by key.
    #[must_use]
    pub fn by(mut self, field: Field<Doc>) -> Self {
        self.find.order_by = Some(field.number);
        self
    }
    /// The same, largest first.
    #[must_use]
    pub fn down(self, field: Field<Doc>) -> Self {
        let mut search = self.by(field);
        search.find.descending = true;
        search
    }
    /// Only what comes after the document with this key, in a search that is ordered by key.
    #[must_use]
    pub fn after(mut self, key: impl Display) -> Self {
        self.find.after = Some((None, key.to_string()));
        self
    }
    /// Only what comes after the document with this value and key, in a search that is ordered by a field.
    #[must_use]
    pub fn after_value(mut self, value: impl Display, key: impl Display) -> Self {
        self.find.after = Some((Some(value.to_string()), key.to_string()));
        self
    }
    /// At most this many, and [`FIND_LIMIT_MAX`] at most.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.find.limit = limit.min(FIND_LIMIT_MAX);
        self
    }
    /// As a store understands it.
    pub fn as_find(&self) -> &Find {
        &self.find
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELF: ReadModel<u32> = ReadModel::new("strategy.shelf", 3, &["client_id", "status", "created_at"]);

    #[test]
    fn names_become_the_numbers_of_the_index() {
        let search = SHELF.all().with(field!(SHELF.status), "APPROVED").with_any(field!(SHELF.client_id), Some(7));
        let search = search.with_any(field!(SHELF.client_id), None::<u32>).down(field!(SHELF.created_at));
        let expected = Find {
            projection: "strategy.shelf".to_owned(),
            version: 3,
            filters: vec![(1, "APPROVED".to_owned()), (0, "7".to_owned())],
            order_by: Some(2),
            descending: true,
            after: Some((Some("noon".to_owned()), "k".to_owned())),
            limit: 5,
        };
        assert_eq!(format!("{:?}", search.after_value("noon", "k").limit(5).as_find()), format!("{expected:?}"));
    }
}
