//! A page of rows, and its JSON: the rows as `items`, everything about them as `page`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 1,000 rows a page.
pub const PAGE_MAX: usize = 1_000;

/// A page of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// At most this many rows were asked for; 0: a page as large as pages are.
    pub limit: usize,
    /// Where the next page begins, if there is one. A page that is short, even empty, may have a next one.
    pub next: Option<String>,
    /// How many there are in all, when that is known.
    pub total: Option<u64>,
    /// How many of all need a person, when that is known.
    pub troubled: Option<u64>,
    /// Whether rows were left out.
    pub truncated: bool,
    /// What a person should know of it: the processes that did not answer, and what may be missing because of that.
    pub notes: Vec<String>,
}

impl<T> Page<T> {
    /// Everything there is, on one page.
    pub fn whole(items: Vec<T>) -> Self {
        let total = u64::try_from(items.len()).ok();
        Self { items, limit: 0, next: None, total, troubled: None, truncated: false, notes: Vec::new() }
    }
}

#[derive(Serialize)]
struct Out<'a, T> {
    items: &'a [T],
    page: About,
}
#[derive(Deserialize)]
struct In<T> {
    items: Vec<T>,
    page: About,
}
/// Everything about a page but its rows.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
struct About {
    #[serde(default)]
    limit: usize,
    next: Option<String>,
    total: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    troubled: Option<u64>,
    #[serde(default)]
    truncated: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl<T: Serialize> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Page { items, limit, next, total, troubled, truncated, notes } = self;
        let (limit, total, troubled, truncated) = (*limit, *total, *troubled, *truncated);
        let page = About { limit, next: next.clone(), total, troubled, truncated, notes: notes.clone() };
        Out { items, page }.serialize(serializer)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let In { items, page } = In::deserialize(deserializer)?;
        let About { limit, next, total, troubled, truncated, notes } = page;
        Ok(Self { items, limit, next, total, troubled, truncated, notes })
    }
}

#[cfg(feature = "schemas")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Page<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (rows, about) = (generator.subschema_for::<T>(), generator.subschema_for::<About>());
        schemars::json_schema!({
            "type": "object",
            "properties": { "items": { "type": "array", "items": rows }, "page": about },
            "required": ["items", "page"],
        })
    }
}
