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
const {forgetWritings} = await import(`${process.env.TIDINGS_WEB}/js/account.js`);
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
