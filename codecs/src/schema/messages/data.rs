//! Resolves variable-length data, each with its composite of a length and bytes. Called for each data of a block.

use super::Builder;
use crate::schema::model::{Composite, Data, Member, Type};
use crate::schema::primitive::Presence;
use crate::schema::xml::ElementId;

impl Builder<'_> {
    /// Resolves one data.
    pub(super) fn data(&mut self, id: ElementId, name: String, number: u32) -> Option<Data> {
        let notes = self.resolver.reader.notes(id);
        let place = self.resolver.reader.element(id).place;
        if self.resolver.reader.presence(id) == Some(Presence::Optional) {
            let at = self.resolver.reader.place_of(id, "presence");
            let message = format!("data `{name}` cannot be optional");
            self.findings().error("data", at, message).hint("empty data says that there is none");
        }
        if self.resolver.reader.number(id, "offset").is_some_and(|offset| offset != 0) {
            let at = self.resolver.reader.place_of(id, "offset");
            let message = format!("data `{name}` has an `offset`; where data starts depends on what is before it");
            self.findings().error("data", at, message).hint("leave it out");
        }
        let ty = match self.named(id)? {
            Type::Composite(ty) => ty,
            other => {
                let at = self.resolver.reader.place_of(id, "type");
                let message = format!("type `{}` of data `{name}` is not a composite", other.name());
                self.findings()
                    .error("data", at, message)
                    .related(other.place(), "it is declared here")
                    .hint("data has a composite of `length` and `varData`");
                return None;
            }
        };
        if self.checked.insert(("data", ty.name.clone())) {
            self.data_type(&ty);
        }
        Some(Data {
            name,
            id: number,
            notes,
            ty,
            epoch: self.resolver.reader.text(id, "epoch"),
            time_unit: self.resolver.reader.text(id, "timeUnit"),
            place,
        })
    }

    /// Checks the composite of a length and bytes.
    fn data_type(&mut self, ty: &Composite) {
        if self.framing_member(ty, "length", "data").is_some()
            && let Some((member, encoding)) = ty.number("length")
        {
            let (encoding, offset) = (encoding.clone(), member.offset);
            self.unsigned_length(&encoding, "length", &ty.name, "data");
            if offset != 0 || encoding.presence == Presence::Constant {
                let message = format!("`length` of `{}` must be sent, and first", ty.name);
                self.findings().error("data", ty.place, message);
            }
        }
        let Some((body, encoding)) = ty.number("varData") else {
            let found = ty.member("data").map(|member| member.place);
            let message = format!("composite `{}` has no `varData`", ty.name);
            let finding = self.findings().error("data", ty.place, message);
            finding.suggest("varData", ty.members.iter().map(|member| member.name.as_str()));
            if let Some(place) = found {
                finding.related(place, "the member that might be meant");
            }
            finding
                .hint
                .get_or_insert_with(|| "add `<type name=\"varData\" primitiveType=\"uint8\" length=\"0\"/>`".into());
            return;
        };
        let stranger =
            |member: &&Member| !matches!(member.name.as_str(), "length" | "varData") && member.ty.length() > 0;
        if let Some(stranger) = ty.members.iter().find(stranger) {
            let message = format!("`{}` of `{}` has no place: the data follows its length", stranger.name, ty.name);
            self.findings().error("data", stranger.place, message);
        }
        if encoding.presence == Presence::Constant {
            let message = format!("`varData` of `{}` is constant, and each message has its own", ty.name);
            self.findings().error("data", body.place, message).hint("leave `presence` out");
        }
        let after_length = ty.number("length").map(|(_, length)| length.primitive.size());
        if encoding.primitive.size() != 1 {
            let message = format!("`varData` of `{}` is {}, and its length counts bytes", ty.name, encoding.primitive);
            self.findings().error("data", body.place, message).hint("use char or uint8");
        }
        if after_length.is_some_and(|length| length != body.offset) {
            let message = format!("`varData` of `{}` must follow `length` directly", ty.name);
            self.findings().error("data", body.place, message);
        }
        // A constant takes no bytes, but its offset still moves the end of its composite.
        let beyond = |member: &&Member| member.ty.length() == 0 && member.offset > body.offset;
        if let Some(member) = ty.members.iter().find(beyond) {
            let message =
                format!("`{}` of `{}` is at offset {}, where the data is", member.name, ty.name, member.offset);
            self.findings().error("data", member.place, message).hint("leave its `offset` out");
        }
    }
}
