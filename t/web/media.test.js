// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page reckons about pictures and recordings: the colours of a blurhash, the room of a picture, the rows of
// an album, a waveform; and that what a sender tells cannot do harm.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const load = (name) => import(`${process.env.TIDINGS_WEB}/js/${name}.js`);
const {blurhashPixels} = await load('blurhash');
const {fitted} = await load('picture');
const {albumRows} = await load('album');
const {levels} = await load('audio_player');
const {waveformOf} = await load('voice_recorder');
const {sizeOf} = await load('media');
const {Files} = await load('files');

const at = (pixels, width, x, y) => [...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4)];

test('a blurhash', () => {
    // One colour: 0xff8000 in four digits of 83.
    let text = '', value = 0xff8000;
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~';
    for (let i = 0; i < 4; i++, value = Math.floor(value / 83))
        text = digits[value % 83] + text;
    const plain = blurhashPixels(`00${text}`, 4, 3);
    for (let i = 0; i < 12; i++)
        assert.deepEqual([...plain.subarray(i * 4, i * 4 + 4)], [255, 128, 0, 255]);
    // The one of the blurhash documents, a photo of a beach: bright above, dark in the lower left.
    const beach = blurhashPixels('LEHV6nWB2yk8pyo0adR*.7kCMdnj', 32, 32);
    const brightness = (x, y) => at(beach, 32, x, y).slice(0, 3).reduce((a, b) => a + b);
    const mean = [0, 1, 2].map((k) => Array.from({length: 1024}, (_, i) => beach[i * 4 + k]).reduce((a, b) => a + b) / 1024);
    [138, 136, 134].forEach((v, k) => assert.ok(Math.abs(mean[k] - v) < 30, `${mean}`));
    assert.ok(Math.abs(brightness(0, 0) - brightness(31, 31)) > 20);
    for (const bad of [null, undefined, 5, '', 'LEHV6', 'LEHV6nWB2yk8pyo0adR*.7kCMdn', 'LEHV6nWB2yk8pyo0adR*.7kCMd"j', '~~~~~~', 'x'.repeat(10000)])
        assert.equal(blurhashPixels(bad, 4, 4), null, String(bad));
});

test('the room of a picture', () => {
    assert.deepEqual(fitted(4000, 3000, 340, 400), {width: 340, height: 255});
    assert.deepEqual(fitted(3000, 9000, 340, 400), {width: 133, height: 400});
    assert.deepEqual(fitted(200, 150, 340, 400), {width: 200, height: 150}, 'small ones are not made large');
    assert.deepEqual(fitted(4, 3, 340, 400), {width: 96, height: 96}, 'but for a finger');
    for (const extra of [null, {}, {width: '5', height: 5}, {width: -1, height: 5}, {width: NaN, height: 5}, {width: Infinity, height: 5}, {width: {}, height: []}])
        assert.equal(sizeOf({extra}), null);
});

test('albums fill their rows', () => {
    for (let n = 1; n <= 10; n++) {
        const rows = albumRows(n);
        assert.equal(rows.reduce((a, b) => a + b), n);
        assert.ok(rows.every((r) => r === 2 || r === 3 || (n === 1 && r === 1)), `${n}: ${rows}`);
    }
});

test('waveforms', () => {
    assert.deepEqual(waveformOf([]), []);
    assert.deepEqual(waveformOf([0.1, 0.2, 0.4]), [8, 16, 31]);
    assert.equal(waveformOf(Array(5000).fill(0.5)).length, 48);
    assert.ok(waveformOf(Array(100).fill(0)).every((v) => v === 0));
    assert.equal(levels([31, 0]).filter((v) => v === 1).length, 20);
    for (const bad of [null, 'x', [], ['5'], [-1], [32], [NaN], {}])
        assert.ok(levels(bad).every((v) => v === 0.25), String(bad));
});

test('where files come from', async () => {
    const id = 'a'.repeat(32);
    let host = 'https://cdn.example';
    const rest = {mediaUrl: (url) => new URL(url, 'https://chat.example/im').href, media: async () => ({url: `${host}/media/${id}/x?e=1&s=2`}), message: async () => ({media_url: `/media/${id}/x?e=9&s=9`})};
    const files = new Files(rest, '');
    const ours = files.url(`/media/${id}/x?e=1&s=2`);
    assert.equal(ours, `https://chat.example/media/${id}/x?e=1&s=2`);
    assert.equal(files.url('javascript:alert(1)'), null);
    assert.equal(files.url('tidings:media/x'), null);
    assert.equal(files.isOurs('https://evil.example/x.png'), false);
    assert.equal(await files.belongsToUs(`https://evil.example/media/${id}/x.png?e=1&s=1`), false, 'who only looks like it is not believed');
    assert.equal(files.isOurs(`https://cdn.example/media/${id}/x`), false);
    assert.equal(await files.belongsToUs(`https://cdn.example/media/${id}/x`), true, 'where the server says that its files are');
    assert.equal(files.isOurs(`https://cdn.example/media/${id}/x`), true);
    const told = new Files(rest, 'https://media.example/im');
    assert.deepEqual(['https://media.example/x', 'https://cdn.example/x'].map((url) => told.isOurs(url)), [true, false], 'or where the page says so from the start');
    assert.equal(files.thumbnail(ours), `${ours}&size=thumb`);
    assert.equal(files.thumbnail('https://evil.example/x.png'), null);
    assert.equal(files.hasExpired(ours), true);
    assert.equal(files.hasExpired(`https://chat.example/media/${id}/x?e=99999999999&s=2`), false);
    const message = {id: '1', seq: 1, media_url: `/media/${id}/x?e=1&s=2`};
    assert.equal(await files.current(message), `https://chat.example/media/${id}/x?e=9&s=9`);
    let count = 0;
    rest.message = async () => ({media_url: `/media/${id}/x?e=${++count === 1 ? 9 : 99999999999}&s=9`});
    const old = `https://chat.example/media/${id}/y?e=1&s=2`;
    for (let i = 0; i < 4; i++)
        await files.renew(message, old);
    assert.equal(count, 2, 'anew where the new one has expired, and no more');
    await assert.rejects(files.renew(message, 'https://chat.example/x.png'));
});
