// SPDX-License-Identifier: BSD-2-Clause
// Proves how the chat page shows what people write: names that would deceive, letters of several code points.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {clusters, directionOf, graphemes, initialOf, isolated, isVisible, nameFault, plain, shortened} =
    await import(`${process.env.TIDINGS_WEB}/js/text.js`);

const FAMILY = '👨‍👩‍👧‍👦', FLAG = '🇨🇳', WALES = '🏴󠁧󠁢󠁷󠁬󠁳󠁿', THUMB = '👍🏽', ACCENTED = 'e\u0301', HEART = '❤️', KEYCAP = '1️⃣';

test('what reorders or hides text is not shown in a name', () => {
    assert.equal(plain('photo_\u202egpj.exe'), 'photo_gpj.exe');
    for (const control of '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069')
        assert.equal(plain(`a${control}b`), 'ab', control.codePointAt(0).toString(16));
    assert.equal(plain(' a\u200bb\ufeffc\u00add\n\te '), 'ab cd e');
    for (const good of ['Ann Lee', '林梅', 'נועה', 'می‌خواهم', FAMILY, WALES, ACCENTED])
        assert.equal(plain(good), good);
});

test('names that a form refuses, and why', () => {
    for (const good of ['Ann', '梅', 'נועה', 'نورا', 'می‌خواهم', FAMILY, FLAG, '7', '!', ACCENTED, 'ก็', '한글'])
        assert.equal(nameFault(good), null, good);
    for (const blank of ['', ' ', '\u3000', '\u200d', '\u0301', '\u0301abc', '\u3164', '\u115f\u1160', '\u2800', '\ufe0f'])
        assert.equal(nameFault(blank), 'blank', JSON.stringify(blank));
    for (const unseen of ['a\u200bb', '\u200b', '\ufeffa', 'a\u0000', 'a\nb', 'a\u2060b'])
        assert.equal(nameFault(unseen), 'unseen', JSON.stringify(unseen));
    for (const reorders of ['a\u202eb', '\u2066a\u2069', 'a\u200f'])
        assert.equal(nameFault(reorders), 'reorders', JSON.stringify(reorders));
    assert.deepEqual(['\u200b', '\u3164', ' ', 'a', FLAG].map(isVisible), [false, false, false, true, true]);
});

test('nothing is cut within a letter, with the browser\'s help and without', () => {
    const letters = [FAMILY, FLAG, FLAG, WALES, THUMB, ACCENTED, HEART, KEYCAP, 'a', '梅', '𠮷'];
    assert.deepEqual(graphemes(letters.join('')), letters);
    assert.deepEqual(clusters(letters.join('')), letters);
    for (let count = 1; count < letters.length; count++)
        assert.equal(shortened(letters.join(''), count), `${letters.slice(0, count).join('')}…`);
    assert.equal(shortened(letters.join(''), letters.length), letters.join(''));
    const long = `${FAMILY.repeat(5000)}`;
    assert.equal(shortened(long, 3), `${FAMILY.repeat(3)}…`);
    assert.equal(shortened(`a${'\u0301'.repeat(500)}b`, 2).isWellFormed?.() ?? true, true);
    assert.deepEqual(['ann', ' ß', `${FAMILY} x`, FLAG, 'éa', `${ACCENTED}a`, '\u200b梅', '', '\u3164', '𠮷野家'].map(initialOf),
        ['A', 'S', FAMILY, FLAG, 'É', 'E\u0301', '梅', '?', '?', '𠮷']);
});

test('which way a text runs', () => {
    assert.deepEqual(['hello', '梅', 'שלום hello', '123 שלום', 'hello שלום', '', '!?', 'سلام'].map(directionOf),
        ['ltr', 'ltr', 'rtl', 'rtl', 'ltr', 'ltr', 'ltr', 'rtl']);
    assert.deepEqual([isolated('Ann'), isolated('נועה')], ['Ann', '\u2068נועה\u2069']);
});
