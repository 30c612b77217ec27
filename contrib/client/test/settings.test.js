// SPDX-License-Identifier: BSD-2-Clause
// Proves that what a user sets of a conversation reaches their other clients, also those that were away, and that a
// client knows archived conversations from the beginning: their next message is one message.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, needsServer, open, told, until} from './kit.js';

afterEach(closeAll);

const none = {muted_until: null, pinned_at: null, archived: false, marked_unread: false, draft: null, mute_mentions: false, expires_in: null};
const ids = async (list) => (await list).items.map((c) => c.id);
const lastSettings = (client) => client.seen.conversation.at(-1)?.settings;

test('settings are the user\'s own, and all of the user\'s clients show them', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob)]);
    const {conversation_id: id} = await b.send({to: alice, content: 'hi'}).done;
    await told(a2, 1);
    const now = await a.rest.updateSettings(id, {pinned: true, muted_until: '2100-01-01T00:00:00Z', draft: 'Dear Bob', mute_mentions: true});
    assert.deepEqual({...now.settings, pinned_at: null}, {...none, muted_until: '2100-01-01T00:00:00.000Z', draft: 'Dear Bob', mute_mentions: true});
    await until('the other client to be told', () => lastSettings(a2)?.draft === 'Dear Bob');
    assert.deepEqual(lastSettings(a2), now.settings);
    assert.deepEqual((await b.rest.conversation(id)).settings, none);
    assert.deepEqual((await a.rest.updateSettings(id, {pinned: null, muted_until: null, draft: null, mute_mentions: null})).settings, none);
    await a.rest.updateSettings(id, {marked_unread: true});
    await until('the mark', () => lastSettings(a2).marked_unread);
    await a.rest.readConversation(id);
    await until('its end', () => !lastSettings(a2).marked_unread);
});

test('an archived conversation is in a list of its own, and is known to a client that begins', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [b, c] = await Promise.all([open(bob), open(carol)]);
    const {conversation_id: id} = await b.send({to: alice, content: 'old'}).done;
    const {conversation_id: other} = await c.send({to: alice, content: 'hi'}).done;
    const {rest} = await open(alice);
    await rest.updateSettings(id, {archived: true});
    assert.deepEqual(await ids(rest.conversations()), [other]);
    assert.deepEqual(await ids(rest.conversations({archived: true})), [id]);
    const a = await open(alice, {device: 'new'});
    assert.deepEqual([...new Set(a.seen.conversation.map((x) => x.id))].sort(), [id, other].sort());
    await b.send({to: alice, content: 'new'}).done;
    assert.deepEqual(await told(a, 1), ['new'], 'what lies before is history');
    assert.deepEqual(await ids(rest.conversations()), [id, other]);
});

test('what was set during an absence is told after it', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice, {device: 'web'}), open(bob)]);
    const {conversation_id: id} = await b.send({to: alice, content: 'hi'}).done;
    await told(a, 1);
    await ask('kick', alice);
    await until('the end', () => a.state === 'replaced');
    const {rest} = await open(alice, {device: 'ios'});
    await rest.updateSettings(id, {draft: 'from the phone', archived: true});
    await a.connect().ready();
    await until('the draft', () => lastSettings(a)?.draft === 'from the phone');
    assert.equal(lastSettings(a).archived, true);
});

test('a history that was cleared is gone for one\'s own clients, and the next message comes alone', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob)]);
    const sent = await Promise.all([1, 2, 3].map((n) => b.send({to: alice, content: `${n}`}).done));
    const id = sent[0].conversation_id;
    await told(a2, 3);
    await a.rest.clearConversation(id, 2);
    await until('the other client to be told', () => a2.seen.conversation.at(-1)?.first_seq === 3);
    assert.deepEqual((await a.rest.history(id)).items.map((m) => m.seq), [3]);
    await a.rest.clearConversation(id);
    await until('the rest', () => a2.seen.conversation.at(-1)?.first_seq === 4);
    assert.deepEqual([await ids(a.rest.conversations()), (await b.rest.history(id)).items.length], [[], 3]);
    await a.close();
    const fresh = await open(alice, {device: 'web'});
    await b.send({to: alice, content: 'next'}).done;
    assert.deepEqual(await told(fresh, 1), ['next']);
    await told(a2, 4);
    assert.deepEqual(await ids(fresh.rest.conversations()), [id]);
});

test('a history that was cleared during an absence is told of after it', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice, {device: 'web'}), open(bob)]);
    const {conversation_id: id} = await b.send({to: alice, content: 'hi'}).done;
    await told(a, 1);
    await ask('kick', alice);
    await until('the end', () => a.state === 'replaced');
    await (await open(alice, {device: 'ios'})).rest.clearConversation(id);
    await a.connect().ready();
    await until('the clearing', () => a.seen.conversation.at(-1)?.first_seq === 2);
});
