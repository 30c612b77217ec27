// SPDX-License-Identifier: BSD-2-Clause
// What has happened to a group, in the reader's language. The server sends the event and the users; the sentence is
// made here, with "you" where it is about the reader.
import {t} from './i18n.js';
import {nameList} from './name_list.js';

// Events whose sentence names other people than the one who did it.
const ABOUT_SOMEONE = new Set(['added', 'joined', 'left', 'removed', 'role', 'owner']);
const ROLE_NOW = {admin: 'system.nowAdmin', member: 'system.nowMember'};
const OPERATOR = 'system'; // no user: the operator of the server did it
const KNOWN = new Set([...ABOUT_SOMEONE, 'created', 'renamed', 'changed', 'dissolved']);

export function isSystem(message) {
    return message.message_type === 'system';
}

// {event, users} of a system message; null for an event of a later version, which is not shown.
export function systemEvent({extra}) {
    const event = extra?.event;
    if (!KNOWN.has(event))
        return null;
    const users = Array.isArray(extra.user_ids) ? extra.user_ids.filter((id) => typeof id === 'string') : [];
    return ABOUT_SOMEONE.has(event) && users.length === 0 ? null : {event, users};
}

// Every user that the sentence names.
export function usersNamed(message) {
    const known = systemEvent(message);
    return known === null ? [] : [message.from_user_id, ...known.users.slice(0, 3)].filter((id) => id !== OPERATOR);
}

// Whether it tells of something that may have changed that user's role.
export function concernsRoleOf(message, userId) {
    const known = isSystem(message) ? systemEvent(message) : null;
    return known !== null && (known.users.includes(userId) || (known.event === 'owner' && message.from_user_id === userId));
}

// nameOf(user id); roleNow: what the reader's role has become by it, null where that is not known. Null where there is
// nothing to show.
export function systemText(message, me, nameOf, roleNow = null) {
    const known = systemEvent(message);
    if (known === null)
        return null;
    const {event} = known;
    const actor = message.from_user_id;
    const others = known.users.filter((id) => id !== actor);
    const subject = (id) => (id === OPERATOR ? t('system.operator') : id === me ? t('system.You') : nameOf(id));
    const names = (ids) => {
        const ordered = ids.includes(me) ? [me, ...ids.filter((id) => id !== me)] : ids;
        return nameList(ordered.slice(0, 3).map((id) => (id === me ? t('system.you') : nameOf(id))), ids.length);
    };
    const say = (key, ids) => tidy(t(`system.${key}`, {who: subject(actor), names: ids.length > 0 ? names(ids) : ''}));
    switch (event) {
    case 'created':
        return say(others.length > 0 ? 'createdWith' : 'created', others);
    case 'joined':
    case 'left':
        return others.length === 0 ? say(event, []) : say(event === 'joined' ? 'letIn' : 'removed', others);
    case 'role':
        if (known.users.includes(me) && ROLE_NOW[roleNow])
            return t(ROLE_NOW[roleNow]);
        return say(others.length === 1 && others[0] === me ? 'roleMe' : 'role', others.length > 0 ? others : known.users);
    case 'added':
    case 'removed':
    case 'owner':
        return say(event, others.length > 0 ? others : known.users);
    default:
        return say(event, []);
    }
}

// Chinese has spaces around names, and none around the pronoun.
function tidy(text) {
    return text.replace(/ ?您 ?/g, '您');
}
