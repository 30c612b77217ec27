// SPDX-License-Identifier: BSD-2-Clause
// Proves that a message that expires is told as a recall, once, with its reason, and also after an absence.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, history, needsServer, open, told, until} from './kit.js';
import {Ledger} from '../src/ledger.js';

afterEach(closeAll);

test('of a message that comes after its recall nothing is left', () => {
    const messages = [];
    const ledger = new Ledger({event: (name, e) => messages.push(e), gap: () => {}, moved: () => {}});
    ledger.restore([['c', 'bob', 0, 0]]);
    ledger.changed('recalled', 'm1', 'then');
    const m = {id: 'm1', conversation_id: 'c', seq: 1, from_user_id: 'bob', to_user_id: 'alice', content: 'x', media_url: null, extra: {a: 1}, entities: [],
        mentions: ['alice'], reactions: [{emoji: '👍', count: 1, user_ids: ['bob']}], forwarded_from: {user_id: 'eve'}, is_recalled: false, expires_at: 'before then'};
    ledger.heard(m, false);
    assert.deepEqual(messages, [{...m, content: null, extra: null, entities: null, mentions: [], reactions: [], forwarded_from: null,
        is_recalled: true, recalled_at: 'then'}]);
});

test('all sessions of both sides are told, and who was away learns of it', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [a, b, c] = await Promise.all([open(alice), open(bob), open(carol)]);
    const sent = await a.send({to: bob, content: 'soon gone', expires_in: 5}).done;
    assert.equal(Date.parse(sent.expires_at) - Date.parse(sent.created_at), 5000);
    const kept = await a.send({to: bob, content: 'kept'}).done;
    assert.equal(kept.expires_at, null);
    await a.send({to: carol, content: 'hi'}).done;
    const unseen = await a.send({to: carol, content: 'soon gone, too', expires_in: 5}).done;
    await told(b, 2);
    await told(c, 2);
    await ask('kick', carol);
    await until('the end', () => c.state === 'replaced');
    for (const client of [a, b]) {
        await until('the recall', () => client.seen.recalled.some((r) => r.message_id === sent.id));
        const [event] = client.seen.recalled.filter((r) => r.message_id === sent.id);
        assert.deepEqual([event.reason, event.conversation_id], ['expired', sent.conversation_id]);
        assert.ok(event.recalled_at >= sent.expires_at && Date.parse(event.recalled_at) - Date.parse(sent.expires_at) < 5000);
    }
    assert.deepEqual((await history(b, sent.conversation_id)).map((m) => [m.content, m.is_recalled, m.expires_at]), [[null, true, sent.expires_at], ['kept', false, null]]);
    await until('the other one', () => a.seen.recalled.length === 2);
    await c.connect().ready();
    await until('the recall', () => c.seen.updated.length === 1);
    const [{message}] = c.seen.updated;
    assert.deepEqual([message.id, message.content, message.recalled_at >= message.expires_at], [unseen.id, null, true]);
    assert.deepEqual(c.seen.recalled.map((r) => [r.message_id, r.recalled_at]), [[unseen.id, message.recalled_at]]);
    await assert.rejects(a.send({to: bob, content: 'x', expires_in: 4}).done, {code: 'invalid_argument'});
    assert.deepEqual([a, b].map((client) => client.seen.recalled.filter((r) => r.message_id === sent.id).length), [1, 1], 'each once');
});

test('a conversation has a default, which both sides see and set', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const {conversation_id: id} = await a.send({to: bob, content: 'hi'}).done;
    await told(b, 1);
    assert.equal((await a.rest.updateSettings(id, {expires_in: 60})).settings.expires_in, 60);
    await until('the other side to be told', () => b.seen.conversation.at(-1)?.settings.expires_in === 60);
    const sent = await b.send({to: alice, content: 'for a minute'}).done;
    assert.equal(Date.parse(sent.expires_at) - Date.parse(sent.created_at), 60000);
    assert.equal((await b.rest.updateSettings(id, {expires_in: null})).settings.expires_in, null);
    await until('it to be told back', () => a.seen.conversation.at(-1)?.settings.expires_in === null);
    const {id: group} = await a.rest.createGroup({name: 'g', user_ids: [bob]});
    await assert.rejects(b.rest.updateSettings(group, {expires_in: 60}), {code: 'forbidden', status: 403});
    assert.equal((await a.rest.updateSettings(group, {expires_in: 60})).settings.expires_in, 60);
});
