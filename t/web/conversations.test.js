// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page knows of groups between what the server shows: what is unread and mentions the user, who has
// read, how many members there are, and what is left when the user is out of one and comes back.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {Conversations} = await import(`${process.env.TIDINGS_WEB}/js/conversations.js`);
const {History} = await import(`${process.env.TIDINGS_WEB}/js/history.js`);

const ID = '17179869184';
const at = (seq) => `2026-11-23T10:00:${String(seq).padStart(2, '0')}.000Z`;

function message(seq, from, fields = {}) {
    return {id: `m${seq}`, seq, conversation_id: ID, from_user_id: from, to_user_id: null, message_type: 'text', content: `m${seq}`, media_url: null,
        extra: null, client_msg_id: null, reply_to: null, mentions: [], is_read: null, read_at: null, is_recalled: false, created_at: at(seq), ...fields};
}

const system = (seq, event, user_ids) => message(seq, 'ben', {message_type: 'system', content: null, extra: {event, user_ids}});

function shown(last, fields = {}) {
    return {id: ID, kind: 'group', peer: null, group: {name: 'Walkers', avatar_url: null, about: null, owner_id: 'ben', role: 'member', member_count: 3,
        joined_at: at(0), dissolved_at: null, settings: {join: 'invite', history: 'all', send: 'all', add: 'all', slow_mode_seconds: 0}},
    last_message: last, last_message_time: last.created_at, unread_count: 0, mention_count: 0, read_seq: last.seq, peer_read_seq: null, first_seq: 1,
    change_seq: 0, source: null, created_at: at(0), ...fields};
}

function begin() {
    const all = new Conversations();
    all.me = 'ann';
    const c = all.put(shown(system(1, 'created', ['ben', 'ann', 'cat'])));
    c.history.putPage([c.last], false);
    return {all, c};
}

test('what is unread, and mentions the user', () => {
    const {all, c} = begin();
    const counts = () => [c.unread, c.mentions];
    all.heard(message(2, 'ben'));
    all.heard(message(3, 'cat', {mentions: ['ann']}));
    all.heard(message(4, 'cat', {mentions: ['*']}));
    all.heard(message(5, 'cat', {mentions: ['ben']}));
    all.heard(system(6, 'renamed', []));
    assert.deepEqual(counts(), [4, 2], 'what happened to the group is never unread');
    all.recalled(ID, 'm3', at(7), 'ben');
    assert.deepEqual(counts(), [3, 1]);
    assert.equal(c.history.byId('m3').recalled_by, 'ben');
    all.deleted(ID, 'm4');
    assert.deepEqual(counts(), [2, 0]);
    all.readUpTo(ID, 'ann', 2);
    assert.deepEqual(counts(), [1, 0]);
    all.heard(message(7, 'ann'));
    assert.deepEqual([...counts(), c.readSeq], [0, 0, 7], 'who sends has read what was before');
    all.heard(message(8, 'ben', {mentions: ['ann']}));
    assert.deepEqual([all.unread, ...counts()], [1, 1, 1]);
});

test('an edit changes what is shown and who is mentioned, and none undoes another', () => {
    const {all, c} = begin();
    all.heard(message(2, 'ben', {mentions: ['ann']}));
    all.heard(message(3, 'cat'));
    const edit = (seq, n, fields) => all.edited(message(seq, 'ben', {content: `edit ${n}`, edited_at: at(50 + n), ...fields}));
    assert.equal(edit(2, 2, {mentions: []}), false, 'nothing has to be asked for');
    assert.deepEqual([c.unread, c.mentions, c.history.byId('m2').content, c.last.content], [2, 0, 'edit 2', 'm3']);
    edit(2, 1, {mentions: ['ann']});
    assert.deepEqual([c.mentions, c.history.byId('m2').content], [0, 'edit 2'], 'an older one comes late');
    all.heard(message(2, 'ben'));
    assert.equal(c.history.byId('m2').content, 'edit 2', 'as does a page of before');
    edit(3, 3, {mentions: ['*']});
    assert.deepEqual([c.mentions, c.last.content], [1, 'edit 3'], 'the list shows it');
    all.put(shown(message(3, 'cat'), {read_seq: 1, unread_count: 2}));
    assert.equal(c.last.content, 'edit 3', 'also after an answer that is older');
    all.recalled(ID, 'm3', at(59));
    edit(3, 4);
    assert.deepEqual([c.last.content, c.last.is_recalled, c.history.byId('m3').content], [null, true, null], 'what is recalled stays so');
    all.edited(message(3, 'cat', {is_recalled: true, content: null, edited_at: null}));
    all.deleted(ID, 'm2');
    edit(2, 5);
    edit(9, 5);
    assert.deepEqual(c.history.messages.map(({seq}) => seq), [1, 3], 'one that is not here is not put there');
});

test('an edit of an unread message that is not here asks for the counts', () => {
    const all = new Conversations();
    all.me = 'ann';
    const c = all.put(shown(message(9, 'ben'), {read_seq: 3, unread_count: 6}));
    assert.equal(all.edited(message(5, 'ben', {edited_at: at(50)})), true);
    assert.equal(all.edited(message(3, 'ben', {edited_at: at(50)})), false, 'but not of one that was read');
    assert.equal(all.edited(message(9, 'ben', {content: 'x', edited_at: at(50), conversation_id: 'other'})), false);
    assert.equal(c.history.messages.length, 0);
});

test('without all unread messages the server\'s counts stay', () => {
    const all = new Conversations();
    all.me = 'ann';
    const c = all.put(shown(message(50, 'ben'), {unread_count: 40, mention_count: 3, read_seq: 9}));
    all.heard(message(51, 'ben', {mentions: ['ann']}));
    assert.deepEqual([c.unread, c.mentions], [41, 4]);
    assert.equal(all.recalled(ID, 'm20', at(52)), true, 'and have to be asked for');
});

test('who has read', () => {
    const {all, c} = begin();
    all.heard(message(2, 'ann'));
    assert.ok(c.readByOthers('ann') < 2);
    all.readUpTo(ID, 'cat', 2);
    assert.equal(c.readByOthers('ann'), 2);
    all.heard(message(3, 'ann'));
    all.heard(message(4, 'ben'));
    assert.equal(c.readByOthers('ann'), 4, 'sending is reading');
});

test('how many members there are', () => {
    const {all, c} = begin();
    const count = () => c.group.member_count;
    all.heard(system(2, 'added', ['dan', 'eve']));
    assert.equal(count(), 5);
    all.heard(system(2, 'added', ['dan', 'eve']));
    assert.equal(count(), 5, 'the same message again changes nothing');
    all.heard(system(3, 'joined', ['fay']));
    all.heard(system(4, 'left', ['dan']));
    all.heard(system(5, 'removed', ['eve']));
    all.heard(system(6, 'role', ['cat']));
    all.heard(system(7, 'celebrated', ['cat']));
    assert.equal(count(), 4);
    all.heard(system(8, 'dissolved', []));
    assert.notEqual(c.group.dissolved_at, null);
});

test('the event that tells the role', () => {
    const {all, c} = begin();
    const first = system(2, 'role', ['ann']), second = system(4, 'role', ['ann']);
    all.heard(first);
    assert.equal(c.roleAfter(first, 'ann'), null, 'the group may have been shown before it');
    const asAdmin = shown(first);
    all.put({...asAdmin, group: {...asAdmin.group, role: 'admin'}});
    assert.equal(c.roleAfter(first, 'ann'), 'admin');
    assert.equal(c.roleAfter(first, 'cat'), null, 'of those whom it is about');
    all.heard(system(3, 'role', ['cat']));
    assert.equal(c.roleAfter(first, 'ann'), 'admin', 'another\'s changes nothing');
    all.heard(second);
    all.put(shown(second));
    assert.deepEqual([c.roleAfter(first, 'ann'), c.roleAfter(second, 'ann')], [null, 'member'], 'the last one alone');
});

test('out of a group, and back', () => {
    const {all, c} = begin();
    all.heard(message(2, 'ben', {mentions: ['ann']}));
    assert.equal(all.left(ID, 'removed'), c);
    assert.deepEqual([c.gone, c.unread, c.mentions, c.history.messages, all.list(), all.unread], ['removed', 0, 0, [], [], 0]);
    assert.equal(all.left('17179869199', 'left'), null);
    const again = all.put(shown(system(9, 'added', ['ann']), {first_seq: 9}));
    assert.equal(again, c, 'who shows it goes on showing it');
    assert.deepEqual([c.gone, c.firstSeq, c.history.loaded, all.list().length], [null, 9, false, 1]);
    all.left(ID, null);
    assert.equal(c.gone, '');
    assert.equal(all.left(ID, 'dissolved'), c);
});

test('a group that the server has not shown yet is not in the list', () => {
    const all = new Conversations();
    all.me = 'ann';
    all.heard(message(5, 'ben'));
    assert.deepEqual(all.list(), []);
    all.put(shown(message(5, 'ben'), {unread_count: 1, read_seq: 4}));
    assert.deepEqual(all.list().map(({key, unread}) => [key, unread]), [[`g/${ID}`, 1]]);
    assert.equal(all.withKey(`g/${ID}`).id, ID);
});

test('a part further back: what is done to its messages, and how it comes to the newest ones', () => {
    const all = new Conversations();
    all.me = 'ann';
    const c = all.put(shown(message(22, 'ben')));
    all.heard(message(23, 'ben'));
    c.history.putPage([21, 22].map((seq) => message(seq, 'ben')), true);
    const window = new History();
    window.putPage([5, 6, 7].map((seq) => message(seq, 'ben')), true);
    window.hasNewer = true;
    c.window = window;
    const seqs = () => c.shown.messages.map(({seq}) => seq);
    c.joinWindow();
    assert.deepEqual(seqs(), [5, 6, 7], 'they have not met');
    all.edited(message(6, 'ben', {content: 'new', edited_at: at(50)}));
    all.recalled(ID, 'm5', at(51));
    all.deleted(ID, 'm7');
    assert.deepEqual([seqs(), c.byId('m6').content, c.byId('m5').is_recalled, c.byId('m7')], [[5, 6], 'new', true, null]);
    all.heard(message(24, 'ben'));
    assert.deepEqual([seqs(), c.history.last.seq], [[5, 6], 24], 'new ones come in at the end alone');
    window.putNewerPage([7, 8, 20, 21].map((seq) => message(seq, 'ben')), true);
    c.joinWindow();
    assert.equal(c.window, null);
    assert.deepEqual(seqs(), [5, 6, 8, 20, 21, 22, 23, 24], 'deleted ones do not come back');
    assert.ok(c.history.hasOlder);
});

test('what has reached the other side of a direct conversation', () => {
    const all = new Conversations();
    all.me = 'ann';
    const direct = (peer_delivered_seq) => all.put(shown(message(4, 'ann', {to_user_id: 'ben', conversation_id: '7'}), {id: '7', kind: 'direct',
        peer: {user_id: 'ben', nickname: null, avatar_url: null, online: false}, group: null, peer_read_seq: 1, peer_delivered_seq}));
    const c = direct(2);
    assert.equal(c.peerDeliveredSeq, 2);
    all.delivered('7', 'ben', 3);
    assert.equal(c.peerDeliveredSeq, 3);
    all.delivered('7', 'ben', 1);
    all.delivered('7', 'ann', 4);
    direct(2);
    assert.equal(c.peerDeliveredSeq, 3, 'it never goes back, and what reached the user is no matter');
    all.delivered('8', 'ben', 4);
    const {all: others, c: group} = begin();
    others.delivered(ID, 'ben', 1);
    assert.equal(group.peerDeliveredSeq, 0, 'not in a group');
});
