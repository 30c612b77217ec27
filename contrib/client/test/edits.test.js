// SPDX-License-Identifier: BSD-2-Clause
// Proves that an edit is told once and is never undone, in whatever order it comes: before its message, after a later
// edit, during an absence, by an answer that is older; and that what was done during an absence is told as it is now.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, history, lossy, needsServer, open, told, until} from './kit.js';
import {Ledger} from '../src/ledger.js';

afterEach(closeAll);

const message = (seq, more = {}) => ({id: `m${seq}`, conversation_id: 'c', seq, from_user_id: 'bob', to_user_id: 'alice',
    content: `${seq}`, is_recalled: false, is_read: false, edited_at: null, ...more});
const edited = (seq, n) => message(seq, {content: `edit ${n}`, edited_at: `T${n}`});
const conversation = (change_seq, last = 9) => ({id: 'c', peer: {user_id: 'bob'}, last_message: message(last), change_seq});

// A ledger, and all that it told.
function ledgerAt(seq) {
    const events = [];
    const ledger = new Ledger({event: (name, e) => events.push([name, e.message?.content ?? e.content ?? e.message_id, e.change_seq].filter((x) => x !== undefined)),
        gap: () => {}, behind: () => {}, moved: () => {}});
    ledger.restore([['c', 'bob', seq, 0]]);
    const take = () => events.splice(0);
    const edit = (of, n, changeSeq = n) => ledger.edited(edited(of, n), changeSeq);
    return {ledger, take, edit};
}

test('each edit is news once, and an older one after a newer one is none', () => {
    const {edit} = ledgerAt(9);
    assert.deepEqual([2, 2, 1, 3, 3].map((n) => edit(5, n)), [true, false, false, true, false]);
    assert.equal(edit(6, 1), true, 'another message');
});

test('a message that was not handed on yet comes with its last edit, wherever it comes from', () => {
    const {ledger, take, edit} = ledgerAt(0);
    ledger.heard(message(2), false);
    edit(2, 2);
    edit(2, 1);
    edit(3, 4);
    edit(4, 5);
    ledger.fill('c', [message(1)]);
    ledger.heard(message(3, {content: 'newer than that', edited_at: 'T6'}), false);
    ledger.changed('recalled', 'm4', 'then');
    ledger.heard(message(4), false);
    ledger.heard(message(5), false);
    assert.deepEqual(take().map(([, content]) => content ?? null), ['1', 'edit 2', 'newer than that', undefined, '5'].map((c) => c ?? null));
    edit(7, 7);
    ledger.changed('deleted', 'm7', null);
    ledger.fill('c', [message(7)]);
    assert.deepEqual([take(), edit(7, 8)], [[], false], 'of one that was deleted nothing is told');
});

test('what sync tells is how it is now: of several edits the last, of an unknown kind the message alone', () => {
    const {ledger, take, edit} = ledgerAt(9);
    const changes = [{change_seq: 1, kind: 'edited', message_id: 'm1'}, {change_seq: 2, kind: 'edited', message_id: 'm1'},
        {change_seq: 3, kind: 'reaction', message_id: 'm2'}, {change_seq: 4, kind: 'edited', message_id: 'm3'},
        {change_seq: 5, kind: 'recalled', message_id: 'm3', at: 'then'}, {change_seq: 6, kind: 'edited', message_id: 'm4'}];
    const updated = [edited(1, 2), message(2), message(3, {content: null, is_recalled: true})];
    const item = {conversation: conversation(6), messages: [], changes, updated, has_more: false};
    ledger.merge(item, true);
    assert.deepEqual(take(), [['recalled', 'm3'], ['edited', 'edit 2', 2], ['updated', 'edit 2'], ['updated', '2'], ['updated']],
        'nothing of m4, which this user has deleted');
    assert.deepEqual([edit(1, 2), edit(1, 3)], [false, true], 'an event of what was told already is none');
    assert.deepEqual(ledger.recent(1)[0].change_seq, 6);
});

test('an answer that is older than what was told undoes nothing', () => {
    const {ledger, take, edit} = ledgerAt(9);
    edit(1, 3);
    ledger.changed('recalled', 'm2', 'then');
    ledger.readUpTo('c', 'alice', 3, 'read then');
    ledger.readUpTo('c', 'bob', 5, 'by its sender');
    const reads = [];
    ledger.merge({conversation: conversation(3), messages: [], has_more: false,
        changes: [{change_seq: 1, kind: 'edited', message_id: 'm1'}, {change_seq: 2, kind: 'edited', message_id: 'm2'}, {change_seq: 3, kind: 'x', message_id: 'm4'}],
        updated: [edited(1, 1), edited(2, 2)]}, true);
    assert.deepEqual(take(), [['updated']], 'the edit was told, and what is recalled stays so');
    const asRead = new Ledger({event: (name, {message: m}) => reads.push([m.id, m.is_read, m.read_at]), gap: () => {}, moved: () => {}});
    asRead.restore([['c', 'bob', 9, 0]]);
    asRead.readUpTo('c', 'alice', 3, 'read then');
    asRead.readUpTo('c', 'alice', 2, 'a late event');
    asRead.readUpTo('c', 'bob', 5, 'by its sender');
    asRead.changed('read', 'm5', 'alone');
    asRead.merge({conversation: conversation(3), messages: [], changes: [], updated: [3, 4, 5].map((seq) => message(seq)), has_more: false}, true);
    assert.deepEqual(reads, [['m3', true, 'read then'], ['m4', false, undefined], ['m5', true, 'alone']]);
});

test('all sessions of both sides are told of an edit once, with its formatting', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob)]);
    const entities = [{type: 'bold', offset: 0, length: 2}, {type: 'link', offset: 3, length: 1, url: 'https://example.org/'}];
    const sent = await a.send({to: bob, content: '🙂 x', entities}).done;
    assert.deepEqual([sent.entities, sent.edited_at], [entities, null]);
    await told(b, 1);
    const now = await a.edit(sent.id, {content: 'hello', entities: [{type: 'code', offset: 1, length: 2}]});
    for (const client of [a, a2, b]) {
        await until('the edit', () => client.seen.edited.length > 0);
        assert.deepEqual(client.seen.edited, [{message: now, change_seq: 1}]);
    }
    assert.deepEqual(await a.rest.message(sent.id), now);
    assert.deepEqual((await b.rest.conversation(sent.conversation_id)).last_message, now);
    assert.deepEqual(await a.edit(sent.id, {content: 'hello', entities: now.entities}), now, 'the same again');
    const plain = await a.edit(sent.id, {content: 'hello'});
    assert.deepEqual([plain.entities, plain.mentions], [null, []]);
    await assert.rejects(b.edit(sent.id, {content: 'x'}), {code: 'not_sender', status: 403});
    await assert.rejects(a.edit(sent.id, {content: 'x', entities: [{type: 'bold', offset: 0, length: 2}]}), {code: 'invalid_argument'});
    await a.recall(sent.id);
    await assert.rejects(a.edit(sent.id, {content: 'x'}), {code: 'conflict', status: 409});
    await until('the recall', () => b.seen.recalled.length === 1);
    assert.deepEqual(b.seen.edited.map(({message: m, change_seq}) => [m.content, change_seq]), [['hello', 1], ['hello', 2]]);
    assert.deepEqual([b.seen.updated, await history(b, sent.conversation_id)], [[], [await b.rest.message(sent.id)]]);
});

test('after an absence one is told how each message is now', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const sent = await Promise.all([1, 2, 3].map((n) => a.send({to: bob, content: `${n}`}).done));
    await told(b, 3);
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    await a.edit(sent[0].id, {content: 'once'});
    await a.edit(sent[0].id, {content: 'twice'});
    await a.edit(sent[1].id, {content: 'to be recalled'});
    await a.recall(sent[1].id);
    const unseen = await a.send({to: bob, content: 'helo'}).done;
    await a.edit(unseen.id, {content: 'hello'});
    await b.connect().ready();
    assert.deepEqual((await told(b, 4)).at(-1), 'hello');
    await until('what was done', () => b.seen.updated.length === 3);
    assert.deepEqual(b.seen.edited.map(({message: m}) => m.content), ['twice', 'hello']);
    assert.deepEqual(b.seen.updated.map(({message: m}) => [m.seq, m.content]), [[1, 'twice'], [2, null], [4, 'hello']]);
    assert.deepEqual(b.seen.recalled.map((r) => r.message_id), [sent[1].id]);
    await a.edit(sent[0].id, {content: 'a third time'});
    await until('the event', () => b.seen.edited.at(-1).message.content === 'a third time');
    assert.equal(b.seen.updated.length, 3, 'no catching up was needed for it');
});

test('an edit whose event is lost shows with the next change', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    let lost = 0;
    const b = await open(bob, {WebSocket: lossy((frame) => frame.type !== 'edited' || lost++ > 0)});
    const a = await open(alice);
    const sent = await Promise.all([1, 2].map((n) => a.send({to: bob, content: `${n}`}).done));
    await told(b, 2);
    await a.edit(sent[0].id, {content: 'lost'});
    await until('the first to be lost', () => lost === 1);
    await a.edit(sent[1].id, {content: 'seen'});
    await until('both', () => b.seen.edited.length === 2);
    assert.deepEqual(b.seen.edited.map(({message: m, change_seq}) => [m.content, change_seq]).sort(), [['lost', 1], ['seen', 2]]);
});
