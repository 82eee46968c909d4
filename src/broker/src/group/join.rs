//! How a member comes into a group.

use super::classic::{Group, Phase, refuse_waiting};
use super::member::Member;
use super::{Action, Identity, Join, Joined, Millis, Token};
use kafka_protocol::ResponseError;

/// Members of one group, those on the way into it included.
const MAX_MEMBERS: usize = 10_000;

impl Group {
    /// Takes a JoinGroup. The reply may come later, when the rebalance is through.
    pub(crate) fn join(&mut self, now: Millis, token: Token, join: Join, out: &mut Vec<Action>) {
        let refused = |error, member_id: &str| Action::Joined(token, Joined::refused(error, member_id));
        if !self.accepts(&join) {
            out.push(refused(ResponseError::InconsistentGroupProtocol, &join.member_id));
            return;
        }
        let known = !join.member_id.is_empty();
        if !known && self.members.len() + self.pending.len() >= MAX_MEMBERS {
            out.push(refused(ResponseError::GroupMaxSizeReached, ""));
            return;
        }
        if !known {
            self.join_new(now, token, join, out);
            return;
        }
        let member_id = join.member_id.clone();
        if let Err(error) = self.join_known(now, token, join, out) {
            out.push(refused(error, &member_id));
        }
    }

    /// Whether the group can still agree on a protocol with this member.
    fn accepts(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_ref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|(name, _)| by_all(name))
    }

    fn join_new(&mut self, now: Millis, token: Token, join: Join, out: &mut Vec<Action>) {
        let new_id = join.new_member_id.clone();
        let known = join.instance_id.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        if let Some(old_id) = known {
            self.replace_static(now, token, &old_id, join, out);
        } else if join.instance_id.is_none() && join.require_known_id {
            self.pending.insert(new_id.clone(), now.saturating_add(join.session_timeout));
            out.push(Action::Joined(token, Joined::refused(ResponseError::MemberIdRequired, &new_id)));
        } else {
            self.add(now, token, new_id, join, out);
        }
    }

    fn add(&mut self, now: Millis, token: Token, member_id: String, join: Join, out: &mut Vec<Action>) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance_id {
            self.statics.insert(instance.clone(), member_id.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        self.members.insert(member_id.clone(), Member::new(member_id, now, token, join));
        self.prepare_rebalance(now, out);
    }

    fn join_known(
        &mut self,
        now: Millis,
        token: Token,
        join: Join,
        out: &mut Vec<Action>,
    ) -> Result<(), ResponseError> {
        if join.instance_id.is_none() && self.pending.remove(&join.member_id).is_some() {
            let member_id = join.member_id.clone();
            self.add(now, token, member_id, join, out);
            return Ok(());
        }
        self.check_member(Identity { member_id: &join.member_id, instance_id: join.instance_id.as_deref() })?;
        let is_leader = self.leader.as_ref() == Some(&join.member_id);
        let member = self.members.get_mut(&join.member_id).ok_or(ResponseError::UnknownMemberId)?;
        let unchanged = member.protocols == join.protocols;
        let rebalance = match self.phase {
            Phase::Empty => return Err(ResponseError::UnknownMemberId),
            Phase::PreparingRebalance => true,
            // The reply was lost, and the member asks again.
            Phase::CompletingRebalance => !unchanged,
            // A leader that joins again wants to assign anew.
            Phase::Stable => is_leader || !unchanged,
        };
        if !rebalance {
            member.heard(now);
            out.push(Action::Joined(token, self.joined(&join.member_id)));
            return Ok(());
        }
        if let Some(earlier) = member.awaiting_join.replace(token) {
            let refused = Joined::refused(ResponseError::RebalanceInProgress, &member.id);
            out.push(Action::Joined(earlier, refused));
        }
        member.update(join);
        self.prepare_rebalance(now, out);
        Ok(())
    }

    /// A static member has come back under a new member id: it takes the old one's place, and the old
    /// one is fenced. In a stable group it goes on without a rebalance.
    fn replace_static(&mut self, now: Millis, token: Token, old_id: &str, join: Join, out: &mut Vec<Action>) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        refuse_waiting(&mut member, ResponseError::FencedInstanceId, out);
        let new_id = join.new_member_id.clone();
        let can_skip = join.can_skip_assignment;
        if let Some(instance) = &join.instance_id {
            self.statics.insert(instance.clone(), new_id.clone());
        }
        let was_leader = self.leader.as_deref() == Some(old_id);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        member.id.clone_from(&new_id);
        member.update(join);
        member.heard(now);
        member.awaiting_join = Some(token);
        self.members.insert(new_id.clone(), member);
        if self.phase == Phase::Stable && self.select_protocol() == self.protocol {
            if let Some(member) = self.members.get_mut(&new_id) {
                member.awaiting_join = None;
            }
            out.push(Action::Joined(token, self.returned(&new_id, old_id, was_leader, can_skip)));
            return;
        }
        self.prepare_rebalance(now, out);
    }

    /// The reply to a static member that came back to a stable group. A leader must not assign again:
    /// it is told so (KIP-814), or, if it is too old for that, that somebody else leads.
    fn returned(&self, new_id: &str, old_id: &str, was_leader: bool, can_skip: bool) -> Joined {
        let joined = self.joined(new_id);
        match (was_leader, can_skip) {
            (false, _) => joined,
            (true, true) => Joined { skip_assignment: true, ..joined },
            (true, false) => Joined { leader: old_id.to_owned(), members: Vec::new(), ..joined },
        }
    }
}
