// SPDX-License-Identifier: BSD-2-Clause
// Proves what follows from the settings of conversations: the order of the list, whom a mute silences, the archive, and
// what is left when a history was cleared.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {NO_SETTINGS, isMutedAt, isMutedForever, isToldOf, muteEnd} = await import(`${process.env.TIDINGS_WEB}/js/conversation_settings.js`);
const {Conversations} = await import(`${process.env.TIDINGS_WEB}/js/conversations.js`);

const at = (second) => `2026-11-23T10:00:${String(second).padStart(2, '0')}.000Z`;

function message(id, seq, from, fields = {}) {
    return {id: `${id} ${seq}`, seq, conversation_id: id, from_user_id: from, to_user_id: from === 'ann' ? id : 'ann', message_type: 'text', content: 'x', media_url: null,
        extra: null, client_msg_id: null, reply_to: null, mentions: [], is_read: false, read_at: null, is_recalled: false, created_at: at(seq), ...fields};
}

function shown(id, last, settings = {}, fields = {}) {
    return {id, kind: 'direct', peer: {user_id: id, nickname: null, avatar_url: null, online: false}, group: null, last_message: last, last_message_time: last?.created_at ?? null,
        unread_count: 1, mention_count: 0, read_seq: 0, peer_read_seq: 0, first_seq: 1, change_seq: 0, source: null, created_at: at(0), settings: {...NO_SETTINGS, ...settings}, ...fields};
}

function begin(...all) {
    const conversations = new Conversations();
    conversations.me = 'ann';
    all.forEach((one) => conversations.put(one));
    return conversations;
}

const ids = (list) => list.map(({id}) => id);

test('the pinned ones first, the archived ones apart, all of them counted', () => {
    const all = begin(shown('ben', message('ben', 1, 'ben'), {pinned_at: at(9)}), shown('cat', message('cat', 3, 'cat')), shown('dan', message('dan', 2, 'dan'), {pinned_at: at(8)}),
        shown('eve', message('eve', 5, 'eve'), {archived: true}));
    assert.deepEqual([ids(all.list()), ids(all.list(true))], [['dan', 'ben', 'cat'], ['eve']]);
    assert.equal(all.unread, 4);
});

test('a message of another ends the archive, unless it is muted', () => {
    const all = begin(shown('ben', message('ben', 1, 'ben'), {archived: true}), shown('cat', message('cat', 1, 'cat'), {archived: true, muted_until: muteEnd(null, 0)}));
    all.heard(message('ben', 2, 'ann'));
    assert.deepEqual(ids(all.list()), [], 'one\'s own does not');
    all.heard(message('ben', 3, 'ben'));
    all.heard(message('cat', 2, 'cat'));
    assert.deepEqual([ids(all.list()), ids(all.list(true))], [['ben'], ['cat']]);
});

test('settings that are being changed are not overtaken by an older answer', () => {
    const all = begin(shown('ben', message('ben', 1, 'ben')));
    const ben = all.get('ben');
    ben.setting++;
    all.put(shown('ben', message('ben', 1, 'ben'), {pinned_at: at(1)}));
    assert.equal(ben.settings.pinned_at, null);
    ben.setting--;
    all.put(shown('ben', message('ben', 1, 'ben'), {pinned_at: at(2)}));
    assert.equal(ben.settings.pinned_at, at(2));
});

test('reading ends the mark, also that of another device', () => {
    const all = begin(shown('ben', message('ben', 1, 'ben'), {marked_unread: true}, {read_seq: 1, unread_count: 0}));
    assert.ok(all.get('ben').isUnread);
    all.readUpTo('ben', 'ben', 1);
    assert.ok(all.get('ben').isUnread, 'the other side\'s does not');
    all.readUpTo('ben', 'ann', 1);
    assert.equal(all.get('ben').isUnread, false);
});

test('a cleared history, until the next message', () => {
    const all = begin(shown('ben', message('ben', 3, 'ben')));
    const ben = all.get('ben');
    ben.history.putPage([1, 2, 3].map((seq) => message('ben', seq, 'ben')), true);
    all.cleared('ben', 3);
    assert.deepEqual([ids(all.list()), ben.history.messages, ben.history.hasOlder, ben.last, ben.unread], [[], [], false, null, 0]);
    all.heard(message('ben', 4, 'ben'));
    assert.deepEqual([ids(all.list()), ben.history.messages.map(({seq}) => seq), ben.unread], [['ben'], [4], 1]);
    all.put(shown('ben', message('ben', 4, 'ben'), {}, {first_seq: 4, read_seq: 3}));
    assert.deepEqual([ids(all.list()), ben.unread], [['ben'], 1]);
});

test('part of a history that is cleared elsewhere', () => {
    const all = begin(shown('ben', message('ben', 5, 'ben')));
    const ben = all.get('ben');
    ben.history.putPage([3, 4, 5].map((seq) => message('ben', seq, 'ben')), true);
    all.put(shown('ben', message('ben', 5, 'ben'), {}, {first_seq: 4}));
    assert.deepEqual([ben.history.messages.map(({seq}) => seq), ben.history.hasOlder, ben.unread], [[4, 5], false, 2]);
});

test('whom a mute silences', () => {
    const now = Date.parse(at(0));
    const hour = {...NO_SETTINGS, muted_until: muteEnd(3600, now)};
    assert.equal(isMutedAt(NO_SETTINGS, now), false);
    assert.deepEqual([isMutedAt(hour, now + 3599999), isMutedAt(hour, now + 3600000)], [true, false]);
    assert.deepEqual([isMutedForever(hour), isMutedForever({muted_until: muteEnd(null, now)}), isMutedForever(NO_SETTINGS)], [false, true, false]);
    const mention = message('g', 1, 'ben', {mentions: ['ann']});
    assert.equal(isToldOf(NO_SETTINGS, message('g', 1, 'ben'), 'ann', now), true);
    assert.equal(isToldOf(hour, message('g', 1, 'ben'), 'ann', now), false);
    assert.equal(isToldOf(hour, mention, 'ann', now), true);
    assert.equal(isToldOf({...hour, mute_mentions: true}, mention, 'ann', now), false);
});
