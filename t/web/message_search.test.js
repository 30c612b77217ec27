// SPDX-License-Identifier: BSD-2-Clause
// Proves how a search is asked for while one types: after a pause, the answers to what was asked before forgotten, page by
// page, and again after a failure.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {MessageSearch} = await import(`${process.env.TIDINGS_WEB}/js/message_search.js`);

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
const item = (id) => ({message: {id}, conversation_id: '1', highlights: []});

function begin() {
    const asked = [];
    const search = new MessageSearch((query) => new Promise((resolve, reject) => asked.push({query, resolve, reject})), () => {});
    const found = () => search.items.map(({message}) => message.id);
    return {asked, search, found};
}

test('one letter finds too much, white space nothing', () => {
    const {asked, search} = begin();
    search.set('a', {}, true);
    search.set('  ', {}, true);
    assert.deepEqual([asked.length, search.active, search.loading], [0, false, false]);
});

test('after a pause, once for several keys', async () => {
    const {asked, search} = begin();
    for (const text of ['st', 'sta', 'station ', ' station'])
        search.set(text);
    assert.deepEqual([asked.length, search.loading], [0, true]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.deepEqual(asked.map(({query}) => query.q), ['station']);
    search.set('station');
    search.set('station', {}, true);
    assert.equal(asked.length, 1, 'the same is not asked for again');
});

test('Enter waits for nothing', () => {
    const {asked, search} = begin();
    search.set('station');
    search.set('station', {}, true);
    assert.equal(asked.length, 1);
});

test('an answer that comes late is not shown', async () => {
    const {asked, search, found} = begin();
    search.set('old', {}, true);
    search.set('new', {from: 'ben'}, true);
    asked[1].resolve({items: [item('2')], next_cursor: null});
    await settled();
    asked[0].resolve({items: [item('1')], next_cursor: 'x'});
    await settled();
    assert.deepEqual([found(), search.hasMore, search.loading, asked[1].query.from], [['2'], false, false, 'ben']);
    search.set('', {}, true);
    assert.deepEqual([found(), search.active], [[], false]);
});

test('page by page, one at a time', async () => {
    const {asked, search, found} = begin();
    search.set('station', {}, true);
    search.more();
    assert.equal(asked.length, 1);
    const page = (from) => Array.from({length: 12}, (_, i) => item(String(from + i)));
    asked[0].resolve({items: page(1), next_cursor: 'c'});
    await settled();
    search.more();
    search.more();
    assert.deepEqual(asked.map(({query}) => query.cursor), [null, 'c']);
    asked[1].resolve({items: page(12), next_cursor: null});
    await settled();
    search.more();
    assert.deepEqual([found().length, found().at(-1), asked.length], [23, '23', 2], 'none of them twice');
    search.forget(({id}) => id === '2');
    assert.deepEqual(found().slice(0, 2), ['1', '3'], 'what is recalled meanwhile is gone');
});

test('what fails can be tried again', async () => {
    const {asked, search, found} = begin();
    search.set('station', {}, true);
    asked[0].reject({code: 'unavailable'});
    await settled();
    assert.deepEqual([search.problem.code, search.loading], ['unavailable', false]);
    search.set('station', {}, true);
    asked[1].resolve({items: [item('1')], next_cursor: null});
    await settled();
    assert.deepEqual([found(), search.problem], [['1'], null]);
});

test('no more of the query than a server takes', () => {
    const {asked, search} = begin();
    search.set('😀'.repeat(200), {}, true);
    assert.equal(Array.from(asked[0].query.q).length, 128);
});

test('a page may have few, and others follow', async () => {
    const {asked, search, found} = begin();
    search.set('station', {}, true);
    for (let i = 0; i < 4; i++) {
        asked.at(-1).resolve({items: i === 2 ? [item('7')] : [], next_cursor: `c${i}`});
        await settled();
    }
    assert.deepEqual([found(), search.hasMore, search.loading, asked.length], [['7'], true, false, 4], 'not for ever');
    search.more();
    asked.at(-1).resolve({items: [item('8')], next_cursor: null});
    await settled();
    assert.deepEqual([found(), search.hasMore], [['7', '8'], false]);
});
