//! Where every key and value of a file stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::{KeyPath, Step};

/// The places of a file's keys and values, kept apart from the values so that they outlive every merge and check.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    key: Range<usize>,
    value: Range<usize>,
    children: Vec<(Step, Node)>,
}

impl Spans {
    pub(super) fn of(root: &Spanned<DeTable<'_>>) -> Self {
        Self { root: Node { key: 0..0, value: 0..0, children: table_children(root.get_ref()) } }
    }

    /// Whether the file has this key or item.
    pub(super) fn has(&self, path: &KeyPath) -> bool {
        self.find(path).is_some()
    }

    /// The place of the value; of the nearest table around it where the file has no such key.
    pub(super) fn value(&self, path: &KeyPath) -> Range<usize> {
        self.nearest(path).value.clone()
    }

    /// The place of the key; of the nearest table around it where the file has no such key.
    pub(super) fn key(&self, path: &KeyPath) -> Range<usize> {
        let node = self.nearest(path);
        if node.key.is_empty() { node.value.clone() } else { node.key.clone() }
    }

    /// The names in the table at this path.
    pub(super) fn keys(&self, path: &KeyPath) -> impl Iterator<Item = &str> {
        let children = self.find(path).map_or(&[][..], |node| &node.children);
        children.iter().filter_map(|(step, _)| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
    }

    /// The path of the innermost value whose place is exactly this one, or else that encloses it.
    pub(super) fn path_at(&self, span: &Range<usize>) -> KeyPath {
        let mut path = KeyPath::root();
        let mut node = &self.root;
        let encloses = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        while let Some((step, child)) = node.children.iter().find(|(_, child)| child.reaches(&encloses)) {
            path = match step {
                Step::Key(key) => path.key(key.as_str()),
                Step::Item(index) => path.item(*index),
            };
            node = child;
        }
        path
    }

    fn find(&self, path: &KeyPath) -> Option<&Node> {
        path.steps().iter().try_fold(&self.root, |node, step| node.child(step))
    }

    fn nearest(&self, path: &KeyPath) -> &Node {
        let mut node = &self.root;
        for step in path.steps() {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }
}

impl Node {
    fn child(&self, step: &Step) -> Option<&Self> {
        self.children.iter().find(|(own, _)| own == step).map(|(_, child)| child)
    }

    /// Whether this value or one below it satisfies. A table's own place may be only its header, so that its values
    /// stand outside of it.
    fn reaches(&self, encloses: &dyn Fn(&Range<usize>) -> bool) -> bool {
        encloses(&self.value)
            || encloses(&self.key)
            || self.children.iter().any(|(_, child)| child.reaches(encloses))
    }
}

fn table_children(table: &DeTable<'_>) -> Vec<(Step, Node)> {
    table.iter().map(|(key, value)| (Step::Key(key.get_ref().to_string()), node(key.span(), value))).collect()
}

fn node(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Node {
    let children = match value.get_ref() {
        DeValue::Table(table) => table_children(table),
        DeValue::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| (Step::Item(index), node(item.span(), item))).collect()
        }
        _ => Vec::new(),
    };
    Node { key, value: value.span(), children }
}
