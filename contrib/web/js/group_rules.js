// SPDX-License-Identifier: BSD-2-Clause
// Who may do what in a group, as the server sees it, so that the page offers what will be allowed. The server has the
// last word. Knows nothing of the page. group: that of a conversation.

const EVERYONE_MAX = 20; // members, up to which anyone may mention all

export function isAdmin(group) {
    return group.role !== 'member';
}

export function mayEdit(group) {
    return isAdmin(group) && group.dissolved_at === null;
}

// Friends, and by invites.
export function mayAdd(group) {
    return group.dissolved_at === null && (isAdmin(group) || group.settings.add === 'all');
}

export function mayMentionAll(group) {
    return isAdmin(group) || group.member_count <= EVERYONE_MAX;
}

// senderRole: undefined where it is not known.
export function mayRecallOthers(group, senderRole) {
    if (group.dissolved_at !== null)
        return false;
    return group.role === 'owner' || (group.role === 'admin' && (senderRole ?? 'member') === 'member');
}

// What may be done about another member, as names.
export function memberActions(group, member, now) {
    if (group.dissolved_at !== null || member.role === 'owner')
        return [];
    const over = group.role === 'owner' || (group.role === 'admin' && member.role === 'member');
    return [
        group.role === 'owner' && (member.role === 'admin' ? 'unmakeAdmin' : 'makeAdmin'),
        group.role === 'owner' && 'passOn',
        over && (isMuted(member, now) ? 'unmute' : 'mute'),
        over && 'remove',
        over && 'ban',
    ].filter(Boolean);
}

export function isMuted(member, now) {
    return member.muted_until !== null && Date.parse(member.muted_until) > now;
}

// Why one cannot write there now: {why, until}, until in milliseconds or null; null where one can. own: the caller's own
// member, or null where it is not known. lastSentAt: of the caller's newest message there, or null.
export function silence(group, own, lastSentAt, now) {
    if (group.dissolved_at !== null)
        return {why: 'dissolved', until: null};
    if (isAdmin(group))
        return null;
    if (own !== null && isMuted(own, now))
        return {why: 'muted', until: Date.parse(own.muted_until)};
    if (group.settings.send === 'admins')
        return {why: 'restricted', until: null};
    const until = lastSentAt === null ? 0 : Date.parse(lastSentAt) + group.settings.slow_mode_seconds * 1000;
    return until > now ? {why: 'slow', until} : null;
}
