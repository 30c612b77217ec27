// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page keeps for reading without the server, and how it is replaced once the server has told more.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {Conversations} = await import(`${process.env.TIDINGS_WEB}/js/conversations.js`);
const {History} = await import(`${process.env.TIDINGS_WEB}/js/history.js`);
const {newestOf, shownOf} = await import(`${process.env.TIDINGS_WEB}/js/offline_copy.js`);

const message = (seq, fields = {}) => ({id: String(1000 + seq), conversation_id: '1', seq, from_user_id: 'ben', to_user_id: 'ann', message_type: 'text', content: `m${seq}`,
    is_read: false, is_recalled: false, mentions: [], created_at: `2026-11-23T03:01:${String(seq % 60).padStart(2, '0')}.000Z`, expires_at: null, ...fields});
const shown = (last, fields = {}) => ({id: '1', kind: 'direct', peer: {user_id: 'ben', nickname: 'Ben', avatar_url: null, online: false}, group: null, last_message: last,
    last_message_time: last?.created_at ?? null, unread_count: 0, mention_count: 0, read_seq: last?.seq ?? 0, peer_read_seq: 0, peer_delivered_seq: 0, first_seq: 1,
    settings: {muted_until: null, pinned_at: null, archived: false, marked_unread: false, draft: null}, created_at: '2026-11-23T03:01:00.000Z', ...fields});
const range = (from, to) => Array.from({length: to - from + 1}, (_, i) => message(from + i));
const seqs = (history) => history.messages.map(({seq}) => seq);

function restored(messages, fields) {
    const all = new Conversations();
    all.me = 'ann';
    all.putCopy(shown(messages.at(-1), fields), messages, true);
    return {all, c: all.get('1')};
}

test('only the newest are kept, and only so much of them', () => {
    assert.deepEqual(newestOf(range(1, 300), 0).map(({seq}) => seq), range(201, 300).map(({seq}) => seq));
    const large = range(1, 20).map((m) => ({...m, content: 'x'.repeat(60000)}));
    assert.deepEqual(newestOf(large, 0).map(({seq}) => seq), [18, 19, 20]);
    assert.deepEqual(newestOf([], 0), []);
    const expiring = [message(1, {expires_at: '2026-11-23T00:00:00.000Z'}), message(2, {expires_at: '2026-11-25T00:00:00.000Z'}), message(3)];
    assert.deepEqual(newestOf(expiring, Date.parse('2026-11-24T00:00:00.000Z')).map(({seq}) => seq), [2, 3], 'what has expired is not');
});

test('a conversation comes back as it was', () => {
    const before = new Conversations();
    before.me = 'ann';
    before.put(shown(message(7), {unread_count: 2, read_seq: 5, peer_read_seq: 3}));
    const {c} = restored(range(1, 7), shownOf(before.get('1')));
    assert.deepEqual([c.key, c.unread, c.readSeq, c.peerReadSeq, c.last.content], ['ben', 2, 5, 3, 'm7']);
    assert.deepEqual(seqs(c.history), [1, 2, 3, 4, 5, 6, 7]);
    assert.ok(c.isCopy && c.history.isCopy && c.history.loaded);
    assert.ok(c.history.reachesUnread('ann', 5, 2), 'and can be opened at what is new');
    const {c: other} = restored([message(9)]);
    assert.deepEqual([seqs(other.history), other.history.hasOlder], [[9], true]);
});

test('once the server has told, its word counts', () => {
    const {all, c} = restored(range(1, 7), {unread_count: 0});
    all.put(shown(message(40), {unread_count: 33, read_seq: 7}));
    assert.ok(!c.isCopy && c.history.isCopy, 'its messages are shown until there are others');
    assert.equal(c.unread, 33, 'what is unread is not counted by a copy that has a gap');
    const {all: cleared, c: empty} = restored(range(1, 7));
    cleared.put(shown(null, {first_seq: 8, read_seq: 7}));
    assert.deepEqual([empty.last, seqs(empty.history), empty.isCleared], [null, [], true], 'also where less is there than before');
    all.dropCopies();
    assert.equal(all.get('1'), c, 'what it has told of stays');
    const {all: left, c: gone} = restored(range(1, 7));
    left.dropCopies();
    assert.deepEqual([left.get('1'), left.withPeer('ben'), gone.gone], [null, null, ''], 'what it has not told of is gone');
});

test('messages that came meanwhile follow those that were read anew', () => {
    const copy = History.ofCopy(range(1, 7), true);
    copy.put(message(41));
    copy.put(message(42));
    const renewed = copy.renewed(range(10, 41), true);
    assert.deepEqual(seqs(renewed), range(10, 42).map(({seq}) => seq));
    assert.ok(!renewed.isCopy && renewed.hasOlder);
    assert.deepEqual(seqs(History.ofCopy(range(5, 9), true).renewed(range(1, 7), false)), [1, 2, 3, 4, 5, 6, 7], 'what the server has not any more goes');
});

test('whatever is done to messages is noticed', () => {
    const history = new History();
    const counts = [() => history.putPage(range(1, 5), false), () => history.put(message(6)), () => history.change('1003', {is_read: true}), () => history.remove('1004'), () => history.cut(2)]
        .map((act) => {
            const before = history.changes;
            act();
            return history.changes > before;
        });
    assert.deepEqual(counts, [true, true, true, true, true]);
});
