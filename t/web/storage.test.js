// SPDX-License-Identifier: BSD-2-Clause
// Proves that a storage that is full or forbidden disturbs nothing: no write throws, what is read is what was written
// last, what is done with does not come back, and what was kept before is not lost.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {SafeStorage, onStorageFull} = await import(`${process.env.TIDINGS_WEB}/js/storage.js`);

// With room for so many characters. stuck: takes nothing more, not even less.
class SmallStorage {
    values = new Map();
    stuck = false;

    constructor(room) {
        this.room = room;
    }

    getItem(key) {
        return this.values.get(key) ?? null;
    }

    setItem(key, value) {
        const others = [...this.values].filter(([k]) => k !== key).reduce((sum, [k, v]) => sum + k.length + v.length, 0);
        if (this.stuck || others + key.length + value.length > this.room)
            throw new Error('QuotaExceededError');
        this.values.set(key, value);
    }

    removeItem(key) {
        this.values.delete(key);
    }
}

test('a full storage', () => {
    let told = 0;
    onStorageFull(() => told++);
    const below = new SmallStorage(20);
    const storage = new SafeStorage(() => below);
    storage.setItem('a', '12345');
    storage.setItem('b', '12345');
    storage.setItem('a', 'x'.repeat(30));
    storage.setItem('a', 'y'.repeat(30));
    assert.deepEqual([storage.getItem('a'), below.getItem('a'), told], ['y'.repeat(30), '12345', 1], 'what was kept before is not lost, and it is told once');
    storage.removeItem('b');
    assert.equal(below.getItem('b'), null);
    storage.setItem('a', 'fits again');
    assert.equal(below.getItem('a'), 'fits again');
    below.stuck = true;
    storage.setItem('a', '[]');
    assert.deepEqual([storage.getItem('a'), below.getItem('a')], ['[]', null], 'what is done with does not come back');
    below.stuck = false;
    storage.setItem('c', '1');
    assert.equal(below.getItem('a'), '[]', 'what could not be written is written when it can be');
});

test('a forbidden one', () => {
    const storage = new SafeStorage(() => {
        throw new Error('SecurityError');
    });
    assert.equal(storage.getItem('a'), null);
    storage.setJson('a', {b: 1});
    assert.deepEqual([storage.getJson('a'), storage.getJson('x')], [{b: 1}, null]);
    storage.removeItem('a');
    assert.equal(storage.getItem('a'), null);
    assert.equal(storage.is({}), false);
});

test('what is no JSON is nothing', () => {
    const below = new SmallStorage(100);
    below.setItem('a', '{"broken');
    assert.equal(new SafeStorage(() => below).getJson('a'), null);
});
