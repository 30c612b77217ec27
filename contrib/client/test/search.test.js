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

test('where the words are, and all that narrows a search', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const one = await a.send({to: bob, content: '😀 Grüße aus 北京, see you'}).done;
    const two = await b.send({to: alice, content: 'see me'}).done;
    const three = await a.send({to: carol, type: 'file', media_url: 'https://example.org/x', content: null, extra: {file_name: 'See this.pdf'}}).done;
    const ids = async (query) => (await a.search(query)).items.map(({message}) => message.id);
    const {items, next_cursor} = await a.search({q: 'see'});
    assert.deepEqual([items.map((i) => [i.message.id, i.conversation_id]), next_cursor],
        [[three, two, one].map((m) => [m.id, m.conversation_id]), null], 'the newest first');
    assert.deepEqual(items.map((i) => i.highlights.map(([at, length]) => (i.message.content ?? '').slice(at, at + length))), [[], ['see'], ['see']]);
    const [found] = (await a.search({q: 'grusse 北京'})).items;
    assert.deepEqual(found.highlights.map(([at, length]) => found.message.content.slice(at, at + length)), ['Grüße', '北京']);
    assert.deepEqual(await ids({q: '"see you"'}), [one.id]);
    assert.deepEqual(await ids({q: 'see', conversation_id: one.conversation_id}), [two.id, one.id]);
    assert.deepEqual(await ids({q: 'see', from: bob}), [two.id]);
    assert.deepEqual(await ids({q: 'see', type: 'file'}), [three.id]);
    assert.deepEqual(await ids({q: 'see', before: new Date(one.created_at)}), []);
    assert.deepEqual((await ids({q: 'see', after: new Date(Date.parse(one.created_at) - 1)})).length, 3);
    const paged = [];
    for (let cursor = null; cursor !== undefined;) {
        const page = await a.search({q: 'see', limit: 2, cursor});
        paged.push(...page.items.map(({message}) => message.id));
        cursor = page.next_cursor ?? undefined;
    }
    assert.deepEqual(paged, [three.id, two.id, one.id]);
    assert.deepEqual((await b.search({q: 'this'})).items, [], 'only what one may see');
    await assert.rejects(b.search({q: 'see', conversation_id: three.conversation_id}), {code: 'not_found'});
    await assert.rejects(a.search({q: ''}), {code: 'invalid_argument'});
});
