// SPDX-License-Identifier: BSD-2-Clause
// Proves how people are found as one types: after a pause, page after page, never by an answer that comes too late, and not
// at all where the server has no directory.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';

const {Directory} = await import(`${process.env.TIDINGS_WEB}/js/directory.js`);

const real = {setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout};
let timers = new Map();
let asked = [];
let last = 0;
globalThis.setTimeout = (callback) => (timers.set(++last, callback), last);
globalThis.clearTimeout = (id) => timers.delete(id);
const paused = () => {
    const due = [...timers.values()];
    timers.clear();
    due.forEach((callback) => callback());
};
const turn = () => new Promise(setImmediate);
const ids = (directory) => directory.users.map(({user_id}) => user_id);

afterEach(() => {
    timers = new Map();
    asked = [];
});

process.on('exit', () => Object.assign(globalThis, real));

// What is asked waits for the test: asked[n].answer(ids, cursor) or .fail(code).
function begin() {
    let changes = 0;
    const directory = new Directory((text, page) => new Promise((resolve, reject) => asked.push({text, ...page,
        answer: async (names, next_cursor = null) => {
            resolve({items: names.map((user_id) => ({user_id})), next_cursor});
            await turn();
        },
        fail: async (code) => {
            reject({code});
            await turn();
        }})), () => changes++);
    return {directory, changes: () => changes};
}

test('asked after a pause, for two characters and more', async () => {
    const {directory} = begin();
    for (const text of ['a', 'al', 'ali', ' ali '])
        directory.type(text);
    assert.equal(asked.length, 0);
    paused();
    assert.deepEqual(asked.map(({text, limit, cursor}) => [text, limit, cursor]), [['ali', 20, null]]);
    await asked[0].answer(['alice', 'alix']);
    assert.deepEqual([ids(directory), directory.text, directory.hasMore], [['alice', 'alix'], 'ali', false]);
    directory.type('ali');
    paused();
    assert.equal(asked.length, 1, 'the same is not asked again');
    directory.type('😀');
    paused();
    assert.deepEqual([asked.length, ids(directory), directory.text], [1, [], ''], 'one character is too few, however long it is');
    directory.type('王伟');
    paused();
    assert.equal(asked.length, 2);
});

test('page after page, each person once', async () => {
    const {directory} = begin();
    directory.type('al');
    paused();
    await asked[0].answer(['a', 'b'], 'next');
    assert.equal(directory.hasMore, true);
    const more = directory.more();
    directory.more();
    assert.deepEqual(asked.slice(1).map(({text, cursor}) => [text, cursor]), [['al', 'next']], 'not twice');
    await asked[1].answer(['b', 'c']);
    await more;
    assert.deepEqual([ids(directory), directory.hasMore], [['a', 'b', 'c'], false]);
});

test('an answer that comes too late is not shown', async () => {
    const {directory} = begin();
    directory.type('al');
    paused();
    directory.type('be');
    await asked[0].answer(['alice']);
    assert.deepEqual(ids(directory), []);
    paused();
    await asked[1].answer(['ben']);
    assert.deepEqual([ids(directory), directory.text], [['ben'], 'be']);
    directory.type('bet');
    paused();
    directory.type('');
    await asked[2].answer(['beth']);
    assert.deepEqual([ids(directory), directory.text], [[], '']);
});

test('who comes back to what is shown is not shown something else', async () => {
    const {directory} = begin();
    directory.type('al');
    paused();
    await asked[0].answer(['alice'], 'next');
    directory.type('alb');
    directory.type('al');
    paused();
    assert.equal(asked.length, 1);
    directory.type('alb');
    paused();
    directory.type('al');
    await asked[1].answer(['alba']);
    assert.deepEqual([ids(directory), directory.text], [['alice'], 'al']);
    directory.more();
    await asked[2].answer(['alix']);
    assert.deepEqual(ids(directory), ['alice', 'alix'], 'and can go on there');
});

test('without a directory nothing is asked any more; what else fails is said, and asked again', async () => {
    const {directory, changes} = begin();
    directory.type('al');
    paused();
    await asked[0].fail('unavailable');
    assert.deepEqual([directory.problem.code, directory.isAvailable], ['unavailable', true]);
    directory.type('al');
    paused();
    await asked[1].fail('not_found');
    assert.deepEqual([directory.problem, directory.isAvailable, directory.text], [null, false, '']);
    const before = changes();
    directory.type('alice');
    paused();
    assert.equal(asked.length, 2);
    assert.equal(changes(), before + 1);
});

test('a page that fails leaves those before, and can be asked for again', async () => {
    const {directory} = begin();
    directory.type('al');
    paused();
    await asked[0].answer(['a'], 'next');
    directory.more();
    await asked[1].fail('timeout');
    assert.deepEqual([ids(directory), directory.hasMore, directory.problem.code], [['a'], true, 'timeout']);
    directory.more();
    await asked[2].answer(['b']);
    assert.deepEqual([ids(directory), directory.problem], [['a', 'b'], null]);
});
