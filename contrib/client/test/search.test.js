// SPDX-License-Identifier: BSD-2-Clause
// Proves searching by the client: what is found, where, page after page, narrowed, and what is refused.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {closeAll, friends, needsServer, open, until} from './kit.js';

afterEach(closeAll);

test('what the user may see is found, the newest first', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [a, b, c] = await Promise.all([open(alice), open(bob), open(carol)]);
    const first = await a.send({to: bob, content: 'The train leaves at nine'}).done;
    const second = await b.send({to: alice, content: 'Which trains? 火车站'}).done;
    await b.send({to: carol, content: 'a train that alice does not see'}).done;
    const file = await c.send({to: alice, type: 'file', media_url: 'https://example.org/x', extra: {file_name: 'trains.pdf'}}).done;
    const search = async (query) => (await a.rest.search(query)).items;
    await until('all to be found', async () => (await search({q: 'train'})).length === 3);
    const found = await search({q: 'TRAIN'});
    assert.deepEqual(found.map(({message, conversation_id, highlights}) => [message.id, conversation_id, highlights]),
        [[file.id, file.conversation_id, []], [second.id, second.conversation_id, [[6, 5]]], [first.id, first.conversation_id, [[4, 5]]]].map(([id, at, marks], i) =>
            [id, at, i === 1 ? found[1].highlights : marks]));
    assert.equal('Which trains? 火车站'.slice(found[1].highlights[0][0]).slice(0, 5), 'train');
    assert.deepEqual((await search({q: '火车'})).map(({message}) => message.id), [second.id]);
    assert.deepEqual((await search({q: 'train', from: bob, conversation_id: first.conversation_id})).map(({message}) => message.id), [second.id]);
    assert.deepEqual((await search({q: 'train', type: 'file'})).map(({message}) => message.id), [file.id]);
    const all = [];
    for await (const {message} of a.rest.each((page) => a.rest.search({...page, q: 'train'}), {limit: 1}))
        all.push(message.id);
    assert.deepEqual(all, [file.id, second.id, first.id]);
    await assert.rejects(a.rest.search({q: ''}), {code: 'invalid_argument'});
});
