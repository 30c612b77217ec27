// SPDX-License-Identifier: BSD-2-Clause
// Proves what a browser keeps of those who are logged in on it: that who leaves takes along what is theirs and nothing else.
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';

// As the browser's: what is stored are properties.
class Storage {
    getItem(key) {
        return this[key] ?? null;
    }

    setItem(key, value) {
        this[key] = value;
    }

    removeItem(key) {
        delete this[key];
    }
}

Object.assign(globalThis, {localStorage: new Storage(), sessionStorage: new Storage()});
const {countUnsent, forgetWritings, storageOf} = await import(`${process.env.TIDINGS_WEB}/js/account.js`);
const keys = (storage) => Object.keys(storage).sort();

beforeEach(() => Object.assign(globalThis, {localStorage: new Storage(), sessionStorage: new Storage()}));

test('who leaves takes along what is theirs, and not that of a user whose id begins alike', () => {
    for (const storage of [localStorage, sessionStorage]) {
        for (const user of ['ann', 'ann:work', 'anna'])
            storage.setItem(`tidings-web:${user}:drafts`, '{}');
        storage.setItem('tidings-web:account', '{}');
    }
    const others = ['tidings-web:account', 'tidings-web:ann:work:drafts', 'tidings-web:anna:drafts'];
    forgetWritings({user_id: 'ann', kept: false});
    assert.deepEqual([keys(sessionStorage), keys(localStorage).length], [others, 4]);
    forgetWritings({user_id: 'ann', kept: true});
    assert.deepEqual(keys(localStorage), others);
    forgetWritings({user_id: 'ann:work', kept: true});
    assert.deepEqual(keys(localStorage), ['tidings-web:account', 'tidings-web:anna:drafts']);
});

test('what would be lost unsent is counted once, also what waits in another tab', () => {
    const ids = (...given) => JSON.stringify(given.map((client_msg_id) => ({client_msg_id, to_user_id: 'ben'})));
    localStorage.setItem('tidings-web:ann:outbox', ids('a', 'b'));
    sessionStorage.setItem('tidings-web:ann:outbox', ids('c'));
    sessionStorage.setItem('tidings-web:ann:work:outbox', ids('d'));
    assert.equal(countUnsent({user_id: 'ann', kept: true}, []), 3);
    assert.equal(countUnsent({user_id: 'ann', kept: true}, ['a', 'x']), 4);
    assert.equal(countUnsent({user_id: 'ann', kept: false}, ['c']), 1, 'what is kept stays');
    assert.equal(countUnsent({user_id: 'ann', kept: false}, ['c'], true), 3, 'unless all logins end');
    for (const bad of ['7', '{"a":1}', '{"', 'null'])
        localStorage.setItem('tidings-web:ben:outbox', bad), assert.equal(countUnsent({user_id: 'ben', kept: true}, []), 0);
});

test('who writes after the user has left writes nothing', async () => {
    Object.defineProperty(globalThis, 'navigator', {configurable: true, value: {}});
    for (const [kept, below] of [[false, sessionStorage], [true, localStorage]]) {
        const account = {user_id: 'ann', kept};
        const {storage, release} = await storageOf(account);
        storage.setJson('tidings-web:ann:drafts', {ben: 'secret'});
        assert.deepEqual([storage.getJson('tidings-web:ann:drafts'), keys(below)], [{ben: 'secret'}, ['tidings-web:ann:drafts']]);
        forgetWritings(account);
        release();
        storage.setJson('tidings-web:ann:drafts', {ben: 'secret'});
        storage.setItem('tidings-web:ann:outbox', '[]');
        assert.deepEqual(keys(below), []);
        below.setItem('tidings-web:ann:outbox', 'of the next tab');
        storage.removeItem('tidings-web:ann:outbox');
        assert.deepEqual(keys(below), ['tidings-web:ann:outbox']);
    }
});

test('the tab that has the lock writes into what is kept, until it gives that back', async () => {
    let held = 0;
    const request = async (name, options, act) => {
        const lock = held === 0 ? name : null;
        held += lock === null ? 0 : 1;
        await act(lock);
        held -= lock === null ? 0 : 1;
    };
    Object.defineProperty(globalThis, 'navigator', {configurable: true, value: {locks: {request}}});
    const account = {user_id: 'ann', kept: true};
    const [first, second] = [await storageOf(account), await storageOf(account)];
    first.storage.setItem('a', '1');
    second.storage.setItem('b', '2');
    assert.deepEqual([keys(localStorage), keys(sessionStorage), held], [['a'], ['b'], 1]);
    first.release();
    await new Promise(setImmediate);
    first.storage.setItem('a', '3');
    assert.deepEqual([localStorage.getItem('a'), held], ['1', 0]);
});
