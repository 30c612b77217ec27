// SPDX-License-Identifier: BSD-2-Clause
// Whom the quick switcher offers, and in which order. Knows nothing of the page.
import {fuzzyMatch} from './fuzzy.js';
import {nameOf} from './format.js';

const ID_FACTOR = 0.9; // an id counts a little less than a name

// All conversations, the latest first, then the friends with whom there is none: [{key, c, userId, name, unread, time}].
// c is null for a friend, userId for a group.
export function candidates(chat) {
    const all = chat.conversations.all().map((c) => ({key: c.key, c, userId: c.isGroup ? null : c.peer.user_id, name: chat.title(c),
        unread: c.unread, muted: c.isMuted, time: c.sortTime}));
    all.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
    const known = new Set(all.map(({userId}) => userId));
    const friends = [...chat.people.friends.values()].filter(({user}) => !known.has(user.user_id))
        .map(({user}) => ({key: user.user_id, c: null, userId: user.user_id, name: nameOf(user), unread: 0, muted: false, time: ''}));
    return [...all, ...friends];
}

// Those that the query may mean, the best first, and the latest of equals; all of them for an empty one, without the
// conversation that is open. With ranges and idRanges: which letters of the name, and of the id, it is found by.
export function ranked(all, query, current) {
    if (query.trim() === '')
        return all.filter(({key}) => key !== current).map((one) => ({...one, ranges: [], idRanges: []}));
    return all.map((one, order) => ({...rank(one, query), order})).filter(({score}) => score > 0)
        .sort((a, b) => b.score - a.score || a.order - b.order);
}

function rank(one, query) {
    const byName = fuzzyMatch(query, one.name);
    const byId = one.userId === null || one.userId === one.name ? null : fuzzyMatch(query, one.userId);
    const score = Math.max(byName?.score ?? 0, (byId?.score ?? 0) * ID_FACTOR);
    return {...one, score, ranges: byName?.ranges ?? [], idRanges: byId?.ranges ?? []};
}
