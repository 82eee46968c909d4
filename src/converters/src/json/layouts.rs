//! The members of objects that were read before, so that those of the next message need not be made anew.
//!
//! Messages of a topic mostly have the same members in the same order. What was seen is a tree of members: each has those
//! that came after it in its object, and the first ones of the objects that were its value. Reading goes down that tree
//! and compares bytes in place; where an object ends, its keys are there already, for all maps to share.
//!
//! What is not like anything before is learned, up to limits, so that objects with names that never come again (ids,
//! say) cost no memory; those are read without.

use super::lexer::is_plain;
use crossdock_api::{Keys, Text, Value};
use std::sync::Arc;

/// Members that are remembered.
const MOST_MEMBERS: usize = 1 << 14;
/// Members that are remembered to follow one: with more, their names are taken not to come again.
const MOST_FOLLOWERS: usize = 8;
/// Members of an object that are remembered.
const MOST_IN_OBJECT: u32 = 256;
/// Bytes of a name that is remembered.
const LONGEST_NAME: usize = 256;
/// Room that is made for elements or members because the last ones of the same place were as many.
const MOST_ROOM: usize = 64;
/// Members that found no place in a full tree before it starts anew.
const MOST_REFUSED: usize = 1 << 18;

/// A member in the tree, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member(u32);

impl Member {
    /// Not a member that was seen before.
    pub(super) const NONE: Self = Self(u32::MAX);
    /// The message itself, as if it were the value of a member.
    pub(super) const ROOT: Self = Self(0);
}

#[derive(Debug)]
struct Node {
    written: Written,
    name: Text,
    /// The member before it in its object.
    before: Member,
    /// How many members its object has up to it.
    place: u32,
    /// Those that came after it.
    after: Vec<Member>,
    /// The first ones of objects that are its value, or elements of it.
    inside: Vec<Member>,
    /// Stands for the members, inside its value, that are not remembered.
    others: Member,
    /// The keys of an object that ends with it.
    keys: Option<Arc<Keys>>,
    /// Members of the last object that was its value, and elements of the last array.
    room: (usize, usize),
}

/// A name as it is written, with quotes and colon.
#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    /// The first 16 bytes, and which of their bits count.
    head: u128,
    mask: u128,
}

impl Written {
    fn of(name: &[u8]) -> Self {
        let bytes = [b"\"", name, b"\":"].concat();
        let mut head = [0; 16];
        head.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        let mask = if bytes.len() < 16 { (1u128 << (bytes.len() * 8)) - 1 } else { u128::MAX };
        Self { bytes, head: u128::from_le_bytes(head), mask }
    }

    #[inline]
    fn starts(&self, input: &[u8]) -> bool {
        let Some(head) = input.first_chunk::<16>() else { return input.starts_with(&self.bytes) };
        if (u128::from_le_bytes(*head) ^ self.head) & self.mask != 0 {
            return false;
        }
        self.bytes.len() <= 16 || input.starts_with(&self.bytes)
    }
}

/// The tree of members.
#[derive(Debug)]
pub(super) struct Layouts {
    nodes: Vec<Node>,
    refused: usize,
}

impl Default for Layouts {
    fn default() -> Self {
        let mut layouts = Self { nodes: Vec::new(), refused: 0 };
        layouts.add(&Text::default(), Member::NONE, 0);
        layouts
    }
}

/// Where an object is: the member whose value it is, and its last member, which is [`Member::NONE`] once it had one that
/// is not remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) owner: Member,
    pub(super) last: Option<Member>,
}

impl Layouts {
    /// To be called before each message.
    pub(super) fn start(&mut self) {
        if self.refused > MOST_REFUSED {
            *self = Self::default();
        }
    }

    fn node(&self, member: Member) -> Option<&Node> {
        self.nodes.get(member.0 as usize)
    }

    fn followers(&self, place: Place) -> &[Member] {
        match place.last {
            None => self.node(place.owner).map_or(&[], |owner| &owner.inside),
            Some(last) => self.node(last).map_or(&[], |last| &last.after),
        }
    }

    /// The member that `input` starts with, with the length of its name with quotes and colon.
    #[inline]
    pub(super) fn at_start_of(&self, input: &[u8], place: Place) -> Option<(Member, usize)> {
        self.followers(place).iter().find_map(|member| {
            let written = &self.node(*member)?.written;
            written.starts(input).then_some((*member, written.bytes.len()))
        })
    }

    /// The member of that name, remembered from now on; [`Member::NONE`] if it cannot be.
    pub(super) fn learn(&mut self, name: &Text, place: Place) -> Member {
        let followers = self.followers(place);
        let is_it = |member: &&Member| self.node(**member).is_some_and(|node| node.name == *name);
        if let Some(known) = followers.iter().find(is_it) {
            return *known;
        }
        let before = place.last.unwrap_or(Member::NONE);
        let members = self.node(before).map_or(0, |node| node.place);
        let is_full = self.nodes.len() >= MOST_MEMBERS;
        let refused = is_full
            || followers.len() >= MOST_FOLLOWERS
            || members >= MOST_IN_OBJECT
            || name.as_bytes().len() > LONGEST_NAME
            || !is_plain(name.as_bytes())
            || place.last == Some(Member::NONE)
            || self.names_up_to(before).any(|known| known == name);
        if refused {
            self.refused += usize::from(is_full);
            return Member::NONE;
        }
        let member = self.add(name, before, members + 1);
        let at = place.last.unwrap_or(place.owner);
        if let Some(node) = self.nodes.get_mut(at.0 as usize) {
            if place.last.is_some() { node.after.push(member) } else { node.inside.push(member) }
        }
        member
    }

    fn add(&mut self, name: &Text, before: Member, place: u32) -> Member {
        self.nodes.push(Node {
            written: Written::of(name.as_bytes()),
            name: name.clone(),
            before,
            place,
            after: Vec::new(),
            inside: Vec::new(),
            others: Member::NONE,
            keys: None,
            room: (0, 0),
        });
        Member(self.nodes.len() as u32 - 1)
    }

    /// Names of a member and those before it in its object, the last one first.
    fn names_up_to(&self, member: Member) -> impl Iterator<Item = &Text> {
        std::iter::successors(self.node(member), |node| self.node(node.before)).map(|node| &node.name)
    }

    /// The name of a member.
    pub(super) fn name(&self, member: Member) -> Option<&Text> {
        self.node(member).map(|node| &node.name)
    }

    /// How many members an object has up to one.
    pub(super) fn members_up_to(&self, member: Option<Member>) -> usize {
        member.and_then(|member| self.node(member)).map_or(0, |node| node.place as usize)
    }

    /// The names of an object up to a member.
    pub(super) fn keys_up_to(&self, member: Member) -> Vec<Value> {
        let mut keys: Vec<Value> = self.names_up_to(member).cloned().map(Value::String).collect();
        keys.reverse();
        keys
    }

    /// The keys of an object that ends with a member.
    #[inline]
    pub(super) fn keys(&mut self, member: Member) -> Option<Arc<Keys>> {
        if let Some(keys) = &self.node(member)?.keys {
            return Some(Arc::clone(keys));
        }
        let keys = Arc::new(Keys::new(self.keys_up_to(member))?);
        self.nodes.get_mut(member.0 as usize)?.keys = Some(Arc::clone(&keys));
        Some(keys)
    }

    /// What stands for a member that is not remembered, in an object that is the value of `owner`.
    pub(super) fn others(&mut self, owner: Member) -> Member {
        let others = self.node(owner).map_or(Member::NONE, |owner| owner.others);
        if others != Member::NONE || self.nodes.len() >= MOST_MEMBERS {
            return others;
        }
        let others = self.add(&Text::default(), Member::NONE, 0);
        if let Some(owner) = self.nodes.get_mut(owner.0 as usize) {
            owner.others = others;
        }
        others
    }

    /// How many members or elements to make room for in the value of a member.
    #[inline]
    pub(super) fn room(&self, owner: Member, is_object: bool) -> usize {
        let (members, elements) = self.node(owner).map_or((0, 0), |node| node.room);
        if is_object { members.max(1) } else { elements }
    }

    /// Notes how many there were.
    #[inline]
    pub(super) fn note_room(&mut self, owner: Member, is_object: bool, len: usize) {
        if let Some(node) = self.nodes.get_mut(owner.0 as usize) {
            *(if is_object { &mut node.room.0 } else { &mut node.room.1 }) = len.min(MOST_ROOM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache::Seen;
    use super::super::{ConfigMap, JsonConverter};
    use super::*;
    use crossdock_api::batch::{Column, RawSlice};
    use crossdock_api::{Bytes, Converter, Map};
    use proptest::prelude::*;

    fn plain() -> JsonConverter {
        let mut converter = JsonConverter::default();
        let config: ConfigMap = [("schemas.enable".to_owned(), "false".to_owned())].into();
        Converter::configure(&mut converter, &config, Column::Value).unwrap();
        converter
    }

    fn read(json: &str, seen: &mut Seen) -> Result<Value, String> {
        let bytes = Bytes::copy_from_slice(json.as_bytes());
        plain().read(RawSlice::whole(&bytes), seen).map(|(_, value)| value).map_err(|error| error.to_string())
    }

    fn map(json: &str, seen: &mut Seen) -> Map {
        match read(json, seen) {
            Ok(Value::Map(map)) => map,
            other => panic!("{json}: {other:?}"),
        }
    }

    /// Documents of few names, so that they are alike; some with white space, escapes or a name twice.
    fn documents() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "a",
            "b",
            "c",
            "",
            "a name of more than sixteen bytes",
            "\\u0061",
            "é",
            "\\\"",
        ]);
        let scalar = prop::sample::select(vec!["1", "-2.5", "\"x\"", "null", "true", "{}", "[]"])
            .prop_map(str::to_owned);
        scalar.prop_recursive(4, 40, 6, move |inner| {
            let space = prop::sample::select(vec!["", "", "", " "]);
            let member = (name.clone(), space.clone(), inner.clone());
            let member =
                member.prop_map(|(name, space, value)| format!("\"{name}\"{space}:{space}{value}{space}"));
            prop_oneof![
                prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_read_before_changes_nothing(
            documents in prop::collection::vec((documents(), prop::option::weighted(0.2, 0usize..60)), 1..30),
        ) {
            let mut seen = Seen::default();
            for (mut document, cut) in documents {
                // A cut one is no JSON, and the error must say the same.
                if let Some(cut) = cut.filter(|cut| document.is_char_boundary(*cut)) {
                    document.truncate(cut);
                }
                let fresh = read(&document, &mut Seen::default());
                prop_assert_eq!(format!("{:?}", read(&document, &mut seen)), format!("{fresh:?}"), "{}", document);
                prop_assert_eq!(format!("{:?}", read(&document, &mut seen)), format!("{fresh:?}"), "{}", document);
            }
        }
    }

    #[test]
    fn maps_of_one_layout_share_their_keys() {
        let mut seen = Seen::default();
        let documents =
            [r#"{"a":1,"b":{"a":1}}"#, r#"{"a":2, "b" : {"a":2}}"#, r#"{"a":3,"b":{"\u0061":3}}"#];
        let maps = documents.map(|json| map(json, &mut seen));
        let inner = |map: &Map| match map.get("b") {
            Some(Value::Map(inner)) => Arc::clone(inner.shared_keys().unwrap()),
            other => panic!("{other:?}"),
        };
        for other in &maps[1..] {
            assert!(Arc::ptr_eq(maps[0].shared_keys().unwrap(), other.shared_keys().unwrap()));
            assert!(Arc::ptr_eq(&inner(&maps[0]), &inner(other)));
        }
        let optional = map(r#"{"b":{"a":1}}"#, &mut seen);
        assert!(Arc::ptr_eq(
            optional.shared_keys().unwrap(),
            map(r#"{"b":{}}"#, &mut seen).shared_keys().unwrap()
        ));
    }

    #[test]
    fn names_that_do_not_come_again_are_not_remembered() {
        let mut seen = Seen::default();
        for id in 0..1000 {
            let map =
                map(&format!(r#"{{"a":{{"id-{id}":{{"x":{id},"y":[{{"z":1}}]}},"other":1}}}}"#), &mut seen);
            let Some(Value::Map(ids)) = map.get("a") else { panic!() };
            assert_eq!(ids.keys(), [Value::string(&format!("id-{id}")), Value::string("other")]);
        }
        assert!(seen.layouts.nodes.len() < 80, "{}", seen.layouts.nodes.len());
        let members: Vec<String> = (0..10_000).map(|member| format!("\"m{member}\":{member}")).collect();
        assert_eq!(map(&format!("{{{}}}", members.join(",")), &mut seen).len(), 10_000);
        assert!(seen.layouts.nodes.len() < 400, "{}", seen.layouts.nodes.len());
    }

    #[test]
    fn a_full_tree_takes_no_more_and_starts_anew_in_the_end() {
        let mut layouts = Layouts::default();
        let root = Place { owner: Member::ROOT, last: None };
        let mut owner = Member::ROOT;
        for at in 0..MOST_MEMBERS + MOST_REFUSED - 1 {
            let member = layouts.learn(&Text::from("a"), Place { owner, last: None });
            assert_eq!(member == Member::NONE, at + 1 >= MOST_MEMBERS);
            if member != Member::NONE {
                owner = member;
            }
        }
        layouts.start();
        assert!(layouts.at_start_of(b"\"a\":1}", root).is_some());
        layouts.learn(&Text::from("b"), Place { owner, last: None });
        layouts.start();
        assert!(layouts.at_start_of(b"\"a\":1}", root).is_none());
    }
}
