// SPDX-License-Identifier: BSD-2-Clause
// The reactions of a message, and what an event makes of them.

const NAMED_MAX = 5; // of the protocol: so many users of each kind are named

// The reactions as they are after that event: {user_id, emoji, added, count}. The same event twice changes nothing more.
export function withReaction(reactions, {user_id, emoji, added, count}) {
    const at = reactions.findIndex((r) => r.emoji === emoji);
    if (count === 0)
        return reactions.filter((r) => r.emoji !== emoji);
    const others = (at < 0 ? [] : reactions[at].user_ids).filter((id) => added || id !== user_id);
    const user_ids = added && !others.includes(user_id) ? [...others, user_id] : others;
    const kind = {emoji, count, user_ids: user_ids.slice(0, Math.min(NAMED_MAX, count))};
    return at < 0 ? [...reactions, kind] : reactions.map((r, i) => (i === at ? kind : r));
}

// Whether that event is part of these reactions already, as far as they tell.
export function isPartOf(reactions, {user_id, emoji, added, count}) {
    const kind = reactions.find((r) => r.emoji === emoji) ?? {count: 0, user_ids: []};
    const isNamed = kind.user_ids.includes(user_id);
    if (isNamed || kind.user_ids.length === kind.count)
        return isNamed === added;
    return added ? kind.count >= count : kind.count <= count;
}
