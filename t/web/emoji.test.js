// SPDX-License-Identifier: BSD-2-Clause
// Proves what is made of Unicode's data for the emoji picker: that all are there with names in both languages, that they
// are found by words, and which texts are of emoji alone.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {SafeStorage} = await import(`${process.env.TIDINGS_WEB}/js/storage.js`);
const {EmojiIndex, RecentEmoji, emojiAlone, recentFrom, withRecent} = await import(`${process.env.TIDINGS_WEB}/js/emoji.js`);
const {GROUPS} = await import(`${process.env.TIDINGS_WEB}/js/emoji_data.js`);
const index = new EmojiIndex(GROUPS);
const all = index.groups.flatMap(({emoji}) => emoji);

test('all emoji are there, once each, with names', () => {
    assert.deepEqual(index.groups.map(({key}) => key), ['smileys', 'people', 'nature', 'food', 'travel', 'activities', 'objects', 'symbols', 'flags']);
    assert.ok(all.length > 1800, String(all.length));
    assert.equal(new Set(all).size, all.length);
    assert.deepEqual(all.filter((e) => /[\u{1F3FB}-\u{1F3FF}]/u.test(e)), [], 'no skin tones');
    const withChinese = all.filter((e) => /\p{sc=Han}/u.test(index.nameOf(e, 'zh')));
    assert.ok(withChinese.length > 0.97 * all.length, `${withChinese.length} of ${all.length} have a Chinese name`);
    assert.deepEqual(all.filter((e) => !/[a-z]/i.test(index.nameOf(e, 'en'))), []);
    assert.deepEqual(['👍', '❤️', '🇩🇪', '🧑‍💻'].map((e) => [index.nameOf(e, 'en'), index.nameOf(e, 'zh')]),
        [['thumbs up', '拇指向上'], ['red heart', '红心'], ['flag: Germany', '旗: 德国'], ['technologist', '程序员']]);
    assert.equal(index.nameOf('x', 'en'), 'x');
    assert.deepEqual([index.has('👍'), index.has('x')], [true, false]);
    assert.ok(all.every((e) => new TextEncoder().encode(e).length <= 64), 'each can be a reaction');
});

test('every emoji is one alone', () => {
    assert.deepEqual(all.filter((e) => emojiAlone(e) !== 1), []);
    assert.deepEqual(all.filter((e, i) => emojiAlone(e + all[(i * 7) % all.length]) !== 2), []);
});

test('they are found by words in both languages', () => {
    const first = (query) => index.search(query)[0];
    assert.deepEqual(['thumbs up', 'THUMBS', 'red heart', 'pizza', 'germany', '拇指', '红心', '德国', '笑哭了', '👍'].map(first),
        ['👍', '👍', '❤️', '🍕', '🇩🇪', '👍', '❤️', '🇩🇪', '😂', '👍']);
    assert.ok(index.search('dog').includes('🐶') && index.search('狗').includes('🐶'));
    assert.ok(index.search('heart').length > 10 && index.search('heart').indexOf('❤️') < index.search('heart').indexOf('😻'));
    assert.ok(index.search('cat eye').every((e) => index.search('cat').includes(e) || index.search('cat').length === 120));
    assert.equal(index.search('Åland')[0], '🇦🇽');
    assert.equal(index.search('aland')[0], '🇦🇽', 'without its ring');
    assert.deepEqual([index.search(''), index.search('   '), index.search('qqqq'), index.search('艹艹')], [[], [], [], []]);
    assert.ok(!index.search('art').includes('❤️'), 'not in the middle of a word');
    assert.ok(index.search('e').length <= 120);
});

test('which texts are of emoji alone', () => {
    for (const [text, count] of [['👍', 1], [' 👍 ', 1], ['👍👍🏽', 2], ['👩‍👩‍👧‍👦 ❤️\n🇩🇪', 3], ['1️⃣', 1], ['🏴󠁧󠁢󠁥󠁮󠁧󠁿', 1], ['❤️‍🔥', 1], ['☝🏽', 1]])
        assert.equal(emojiAlone(text), count, text);
    for (const text of ['', ' ', '1', '123', '#', '©', 'a👍', '👍!', '👍👍👍👍', '❤', '🇩', '👍'.repeat(500), '你好'])
        assert.equal(emojiAlone(text), 0, text);
});

test('those that were used last', () => {
    const storage = new SafeStorage(() => {
        throw new Error('SecurityError');
    });
    const [anns, bens] = ['ann', 'ben'].map((user) => new RecentEmoji(storage, user));
    ['a', 'b', 'a'].forEach((emoji) => anns.note(emoji));
    assert.deepEqual([anns.list(), bens.list()], [['a', 'b'], []], 'each user of the browser has their own');
    assert.deepEqual(withRecent(['b', 'a'], 'a'), ['a', 'b']);
    assert.equal(withRecent(all.slice(0, 24), '🇩🇪').length, 24);
    for (const bad of [null, 7, {}, 'x'])
        assert.deepEqual(recentFrom(bad), []);
    assert.deepEqual(recentFrom(['a', 7, '', 'x'.repeat(65), null]), ['a']);
});
