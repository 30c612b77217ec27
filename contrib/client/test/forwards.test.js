// SPDX-License-Identifier: BSD-2-Clause
// Proves that messages are forwarded to users and groups, that each target has its result, that all sessions are told of
// copies, that a repeat doubles nothing, and that the parts of merged messages can be walked through.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {closeAll, friends, needsServer, open, told, until} from './kit.js';

afterEach(closeAll);

const all = async (items) => {
    const list = [];
    for await (const item of items)
        list.push(item);
    return list;
};

test('copies', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [a, a2, b, c] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob), open(carol)]);
    const one = await b.send({to: alice, content: 'one'}).done;
    const two = await b.send({to: alice, type: 'image', media_url: 'https://example.org/two.png', content: 'two'}).done;
    const group = await a.rest.createGroup({name: 'Group', user_ids: [carol]});
    const to = [{user_id: carol}, {conversation_id: group.id}, {user_id: 'nobody'}];
    const options = {comment: 'look', client_msg_id: 'forward-1'};
    const results = await a.forward([two.id, one.id], to, options);
    assert.deepEqual(results.map((r) => r.to), to);
    assert.deepEqual(results.map((r) => r.error?.code ?? r.messages.map((m) => m.content)), [['look', 'one', 'two'], ['look', 'one', 'two'], 'not_friends']);
    const [, copy] = results[0].messages;
    assert.deepEqual([copy.from_user_id, copy.forwarded_from.user_id, copy.forwarded_from.created_at], [alice, bob, one.created_at]);
    assert.equal(results[0].messages[2].media_url, two.media_url);
    for (const client of [a, a2, c]) {
        await until('all copies', () => results.slice(0, 2).every(({messages}) => messages.every((m) => client.seen.message.some(({id}) => id === m.id))));
        assert.equal(client.seen.message.filter(({content}) => content === 'two').length, client === c ? 2 : 3, 'each is told once');
    }
    assert.deepEqual(await a.forward([one.id, two.id], to, options), results, 'a repeat');
    await assert.rejects(a.forward([one.id], to, options), {code: 'client_msg_id_reused', status: 409});
    await assert.rejects(c.forward([one.id], [{user_id: alice}]), {code: 'not_found', status: 404});
    await assert.rejects(a.edit(copy.id, {content: 'x'}), {code: 'forbidden', status: 403});
    await told(b, 2);
});

test('merged', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [a, b, c] = await Promise.all([open(alice), open(bob), open(carol)]);
    const sent = [];
    for (let i = 0; i < 3; i++)
        sent.push(await b.send({to: alice, content: `${i} ${'x'.repeat(300)}`}).done);
    const [{messages: [merged]}] = await a.forward(sent.map((m) => m.id), [{user_id: carol}], {merged: true});
    assert.deepEqual([merged.message_type, merged.content], ['forward', null]);
    assert.deepEqual(merged.extra.items.map((i) => [i.user_id, i.content]), sent.map((m) => [bob, m.content.slice(0, 200)]));
    await b.recall(sent[0].id);
    const parts = await all(c.forwarded(merged.id));
    assert.deepEqual(parts.map((p) => [p.part, p.content, p.created_at]), sent.map((m, i) => [`0${i}`, m.content, m.created_at]));
    assert.deepEqual((await c.rest.forwarded(merged.id, {limit: 2})).items, parts.slice(0, 2));
    const [{messages: [outer]}] = await c.forward([merged.id], [{user_id: bob}], {merged: true});
    assert.deepEqual((await all(b.forwarded(outer.id, '00'))).map((p) => p.content), parts.map((p) => p.content));
    await a.recall(merged.id);
    await assert.rejects(all(c.forwarded(merged.id)), {code: 'not_found'});
    assert.equal((await all(b.forwarded(outer.id, '00'))).length, 3);
});
