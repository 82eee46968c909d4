//! JSON into values without a schema: integers are INT64, other numbers FLOAT64, objects maps with string keys.

use super::error::Result;
use super::layouts::{Layouts, Member, Place};
use super::lexer::{Kind, Plain};
use super::read::Reader;
use crossdock_api::{List, Map, SchemaType, Text, Value};
use smallvec::SmallVec;

/// An array or object that is being read.
struct Open {
    is_object: bool,
    /// Elements, or the values of the members that are complete.
    values: Vec<Value>,
    /// Names of members, once one of them is not remembered.
    keys: Vec<Value>,
    /// The member whose value it is, and the one that is being read.
    place: Place,
}

/// What is open, the innermost last. Few messages are nested deeper than what needs no memory of its own.
type Stack = SmallVec<[Open; 4]>;

impl Open {
    fn new(is_object: bool, owner: Member, layouts: &Layouts) -> Self {
        let values = Vec::with_capacity(layouts.room(owner, is_object));
        Self { is_object, values, keys: Vec::new(), place: Place { owner, last: None } }
    }

    /// The member that stands for what is in it now.
    fn inner(&self, layouts: &mut Layouts) -> Member {
        match self.place.last {
            Some(Member::NONE) => layouts.others(self.place.owner),
            Some(member) => member,
            None => self.place.owner,
        }
    }

    /// The name of the member that is being read.
    fn current_name<'o>(&'o self, layouts: &'o Layouts) -> Option<&'o Text> {
        match self.place.last {
            Some(Member::NONE) => match self.keys.get(self.values.len()) {
                Some(Value::String(name)) => Some(name),
                _ => None,
            },
            last => layouts.name(last?).filter(|_| layouts.members_up_to(last) > self.values.len()),
        }
    }

    /// The array or map, which is complete.
    fn finish(&mut self, layouts: &mut Layouts) -> Value {
        let values = std::mem::take(&mut self.values);
        layouts.note_room(self.place.owner, self.is_object, values.len());
        if !self.is_object {
            return Value::Array(values.into());
        }
        let keys = self.place.last.and_then(|last| layouts.keys(last));
        Value::Map(match keys {
            Some(keys) => Map::from_shared(keys, values).unwrap_or_default(),
            None => Map::from_pairs(std::mem::take(&mut self.keys), values),
        })
    }
}

impl Reader<'_> {
    /// A value without a schema. Uses a stack of its own: documents may be nested deeply.
    pub(super) fn schemaless(&mut self, layouts: &mut Layouts) -> Result<Value> {
        layouts.start();
        let mut open = Stack::new();
        self.schemaless_in(&mut open, layouts).map_err(|error| {
            open.iter().rev().fold(error, |error, outer| match outer.current_name(layouts) {
                _ if !outer.is_object => error.at_index(outer.values.len()),
                Some(name) => error.inside(name.as_str()),
                None => error,
            })
        })
    }

    fn schemaless_in(&mut self, open: &mut Stack, layouts: &mut Layouts) -> Result<Value> {
        loop {
            let mut value = match self.lexer.kind()? {
                kind @ (Kind::Array | Kind::Object) => {
                    let is_object = kind == Kind::Object;
                    if self.lexer.enter()? {
                        let owner = open.last().map_or(Member::ROOT, |outer| outer.inner(layouts));
                        let mut inner = Open::new(is_object, owner, layouts);
                        if is_object {
                            self.next_member(&mut inner, layouts)?;
                        }
                        open.push(inner);
                        continue;
                    }
                    if is_object { Value::Map(Map::new()) } else { Value::Array(List::new()) }
                }
                scalar => self.scalar(scalar)?,
            };
            // Puts the value into what it is in, which may be complete with it, and so on outwards.
            loop {
                let Some(outer) = open.last_mut() else { return Ok(value) };
                outer.values.push(value);
                if self.lexer.another(if outer.is_object { b'}' } else { b']' })? {
                    if outer.is_object {
                        self.next_member(outer, layouts)?;
                    }
                    break;
                }
                value = outer.finish(layouts);
                open.pop();
            }
        }
    }

    /// Reads the name of the next member.
    #[inline]
    fn next_member(&mut self, object: &mut Open, layouts: &mut Layouts) -> Result<()> {
        match layouts.at_start_of(self.lexer.rest(), object.place) {
            Some((member, len)) => {
                self.lexer.pass(len);
                object.place.last = Some(member);
                Ok(())
            }
            None => self.new_member(object, layouts),
        }
    }

    fn new_member(&mut self, object: &mut Open, layouts: &mut Layouts) -> Result<()> {
        let name = self.key()?;
        let member = layouts.learn(&name, object.place);
        if member == Member::NONE {
            if let Some(last) = object.place.last.filter(|last| *last != Member::NONE) {
                object.keys = layouts.keys_up_to(last);
            }
            object.keys.push(Value::String(name));
        }
        object.place.last = Some(member);
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, kind: Kind) -> Result<Value> {
        let start = self.lexer.at();
        match kind {
            Kind::Boolean => self.lexer.boolean().map(Value::Boolean),
            Kind::Number => match self.lexer.plain_number() {
                Some(Plain::Int(value)) => Ok(Value::Int64(value)),
                Some(Plain::Float(value)) => Ok(Value::Float64(value)),
                None => self.long_number(start),
            },
            Kind::String => {
                let text = self.lexer.string()?;
                self.text(text, start).map(Value::String)
            }
            Kind::Null | Kind::Array | Kind::Object => self.lexer.null().map(|()| Value::Null),
        }
    }

    #[cold]
    fn long_number(&mut self, start: usize) -> Result<Value> {
        let number = self.lexer.number()?;
        if number.float {
            self.double(number.text, start).map(Value::Float64)
        } else {
            self.integer(number.text, start, SchemaType::Int64).map(Value::Int64)
        }
    }
}
