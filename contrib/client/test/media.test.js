// SPDX-License-Identifier: BSD-2-Clause
// Proves that files are uploaded whole whatever happens on the way, and that messages with them say what they are.
import assert from 'node:assert/strict';
import {deflateSync} from 'node:zlib';
import net from 'node:net';
import {afterEach, test} from 'node:test';
import {Problem} from '../src/problem.js';
import {Slot} from '../src/slot.js';
import {Uploads, extraOf, messageTypeOf} from '../src/upload.js';
import {SlowStorage, ask, closeAll, friends, needsServer, open, until, url} from './kit.js';

afterEach(closeAll);

// What a browser's File is; Node 18 has none.
class TestFile extends Blob {
    constructor(bytes, name, options) {
        super(bytes, options);
        this.name = name;
        this.lastModified = options?.lastModified ?? 1700000000000;
    }
}

const bytesOf = (size) => Uint8Array.from({length: size}, (_, i) => (i * 31 + (i >> 8)) % 251);

// A difference of millions of bytes is not worth printing.
const same = (got, bytes) => Buffer.from(got).equals(Buffer.from(bytes));

// ---- without a server ----

// A Rest whose server keeps one upload. `faults`: what the next requests fail with, functions that throw.
class FakeRest {
    asked = [];
    faults = [];
    got = null; // bytes
    size = 0;

    async request(method, path, {headers = {}, data, signal}) {
        this.asked.push(method);
        assert.ok(signal instanceof AbortSignal);
        const bytes = data === undefined ? new Uint8Array() : new Uint8Array(await data.arrayBuffer());
        await this.faults.shift()?.(bytes);
        if (method === 'POST') {
            this.size = Number(headers['Upload-Length']);
            this.metadata = headers['Upload-Metadata'];
            this.got = [...bytes];
        } else if (this.got === null)
            throw new Problem('not_found', {status: 404});
        if (method === 'PATCH') {
            if (Number(headers['Upload-Offset']) !== this.got.length)
                throw new Problem('conflict', {status: 409});
            this.got = this.got.concat(Array.from(bytes));
        }
        const all = {Location: `/im/media/${'a'.repeat(32)}`, 'Upload-Offset': String(this.got.length), 'Upload-Length': String(this.size)};
        return {status: 200, headers: new Headers(all), body: method === 'POST' && bytes.length > 0 ? await this.media('a'.repeat(32)) : null};
    }

    async media(id) {
        return {id, size: this.got.length};
    }

    async deleteMedia() {
        this.got = null;
    }
}

function uploads(rest, storage = null) {
    const slot = storage && new Slot(storage, 'uploads', {onError: assert.fail});
    return new Uploads({rest, slot: async () => slot, backoff: {baseMs: 1, maxMs: 2}});
}

const fails = (code, more) => () => {
    throw new Problem(code, more);
};

test('a small file goes in one request, a large one in parts that grow', async (t) => {
    t.mock.method(Date, 'now', () => 1764500000000); // each part takes no time
    const rest = new FakeRest();
    assert.equal((await uploads(rest).upload(new TestFile(['hello'], '猫.txt', {type: 'text/plain'}))).size, 5);
    assert.deepEqual(rest.asked, ['POST']);
    assert.equal(rest.metadata, `filename ${btoa('ç\u008C«.txt')},filetype ${btoa('text/plain')}`);
    const large = new FakeRest(), bytes = bytesOf(3000000), seen = [];
    await uploads(large).upload(new Blob([bytes]), {onProgress: ({sent, size}) => seen.push([sent, size])});
    assert.deepEqual(large.asked, ['POST', ...Array(4).fill('PATCH')], '256 KiB, 512, 1024, the rest');
    assert.ok(same(large.got, bytes));
    assert.deepEqual([seen[0], seen.at(-1)], [[0, 3000000], [3000000, 3000000]]);
    assert.equal((await uploads(new FakeRest()).upload(new Blob([]))).size, 0, 'an empty one, too');
});

test('it goes on after each failure that passes', async () => {
    const rest = new FakeRest(), bytes = bytesOf(600000);
    rest.faults = [fails('disconnected'), null, fails('unavailable', {status: 503}), fails('timeout'), null,
        (part) => { // half of it came
            rest.got = rest.got.concat(Array.from(part.subarray(0, part.length / 2)));
            throw new Problem('disconnected');
        }, fails('conflict', {status: 423}), fails('unknown', {status: 502, detail: 'a proxy'}), fails('rate_limited', {status: 429, retryAfterMs: 3})];
    await uploads(rest).upload(new Blob([bytes]));
    assert.ok(same(rest.got, bytes));
    rest.got = null;
    rest.asked = [];
    rest.faults = [null, null, () => {
        rest.got = null; // the server has lost it
    }];
    await uploads(rest).upload(new Blob([bytes]));
    assert.ok(same(rest.got, bytes));
    assert.equal(rest.asked.filter((m) => m === 'POST').length, 2, 'begun anew');
});

test('it ends with a failure that does not pass', async () => {
    for (const [code, more] of [['payload_too_large', {status: 413}], ['quota_exceeded', {status: 507}], ['no_space', {status: 507}], ['invalid_argument', {status: 400}],
        ['rate_limited', {status: 429, retryAfterMs: 3600000}], ['forbidden', {status: 403}]]) {
        const rest = new FakeRest();
        rest.faults = [fails(code, more)];
        await assert.rejects(uploads(rest).upload(new Blob(['x'])), {code});
        assert.equal(rest.asked.length, 1, code);
    }
    const rest = new FakeRest();
    rest.faults = Array(100).fill(fails('unavailable', {status: 503}));
    await assert.rejects(uploads(rest).upload(new Blob(['x'])), {code: 'unavailable'});
    await assert.rejects(uploads(rest).upload('text'), TypeError);
});

test('it is cancelled, and the server told', async () => {
    const rest = new FakeRest(), stop = new AbortController();
    rest.faults = [null, () => stop.abort()];
    await assert.rejects(uploads(rest).upload(new Blob([bytesOf(600000)]), {signal: stop.signal}), {code: 'cancelled'});
    assert.equal(rest.got, null);
    await assert.rejects(uploads(rest).upload(new Blob(['x']), {signal: stop.signal}), {code: 'cancelled'}, 'before it began');
});

test('another life goes on with the same file', async () => {
    const rest = new FakeRest(), storage = new SlowStorage(), bytes = bytesOf(900000);
    const file = () => new TestFile([bytes], 'film.mp4', {type: 'video/mp4'});
    const first = uploads(rest, storage);
    rest.faults = [null, null, () => first.close(new Problem('disconnected'))];
    await assert.rejects(first.upload(file()), {code: 'disconnected'});
    const had = rest.got.length;
    assert.ok(had >= 262144);
    rest.asked = [];
    await uploads(rest, storage).upload(new TestFile([bytes], 'film.mp4', {type: 'video/mp4', lastModified: 1}));
    assert.equal(rest.asked[0], 'POST', 'not with another');
    rest.got = [...bytes.subarray(0, had)];
    rest.asked = [];
    const seen = [];
    await uploads(rest, storage).upload(file(), {onProgress: ({sent}) => seen.push(sent)});
    assert.deepEqual([rest.asked[0], seen[0]], ['HEAD', had]);
    assert.ok(same(rest.got, bytes));
    await assert.rejects(first.upload(file()), {code: 'disconnected'}, 'not in the life that is over');
    rest.asked = [];
    await uploads(rest, storage).upload(file());
    assert.equal(rest.asked[0], 'POST', 'one that is complete is not gone on with');
});

test('what shows a file, and what is told of it', () => {
    const type = (content_type, width = null, duration = null) => messageTypeOf({content_type, width, duration});
    assert.deepEqual([type('image/png', 4), type('image/svg+xml'), type('video/mp4', 4, 1), type('video/x-odd'), type('audio/ogg', null, 1), type('audio/midi'), type('text/plain')],
        ['image', 'file', 'video', 'file', 'voice', 'file', 'file']);
    assert.deepEqual(extraOf({name: 'a', size: 0, width: null, height: null, blurhash: null, duration: 2}), {file_name: 'a', size: 0, duration: 2});
});

// ---- with one ----

function png(width, height) {
    const raw = Buffer.concat(Array.from({length: height}, (_, y) => Buffer.from([0, ...Array.from({length: width * 3}, (__, x) => (x * 7 + y * 5) % 256)])));
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
        let crc = -1;
        for (const byte of body) {
            crc ^= byte;
            for (let i = 0; i < 8; i++)
                crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
        }
        const out = Buffer.alloc(body.length + 8);
        out.writeUInt32BE(data.length);
        body.copy(out, 4);
        out.writeInt32BE(~crc, body.length + 4);
        return out;
    };
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width);
    head.writeUInt32BE(height, 4);
    head.set([8, 2, 0, 0, 0], 8);
    return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

const plainFetch = async (address) => new Uint8Array(await (await fetch(address)).arrayBuffer());

test('a picture is sent, and shown by what its message says', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const seen = [];
    const {client_msg_id, done} = a.send({to: bob, file: new TestFile([png(400, 100)], 'wide 图.png', {type: 'text/html'}), content: 'look', extra: {album: 'x'},
        onProgress: (p) => seen.push(p)});
    const sent = await done;
    assert.deepEqual([sent.client_msg_id, sent.message_type, sent.content], [client_msg_id, 'image', 'look']);
    const {album, blurhash, size, ...rest} = sent.extra;
    assert.deepEqual([album, rest], ['x', {file_name: 'wide 图.png', width: 400, height: 100}]);
    assert.match(blurhash, /^.{6,}$/);
    assert.equal(seen.at(-1).sent, seen.at(-1).size);
    await until('the picture', () => b.seen.message.length === 1);
    const got = await plainFetch(b.rest.mediaUrl(b.seen.message[0].media_url));
    assert.deepEqual([got.length, ...got.subarray(1, 4)], [size, ...Buffer.from('PNG')]);
    const id = sent.media_url.match(/[0-9a-f]{32}/)[0];
    const media = await b.rest.media(id);
    assert.deepEqual([media.id, media.content_type, media.width], [id, 'image/png', 400]);
    assert.ok((await plainFetch(b.rest.mediaUrl(media.thumbnail_url))).length > 0);
    await assert.rejects(a.rest.deleteMedia(id), {code: 'conflict'});
});

test('as a file where that is asked, or where it is nothing else', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    const one = await a.send({to: bob, file: new Blob([png(2, 2)]), name: 'p.png', type: 'file'}).done;
    assert.deepEqual([one.message_type, one.extra.file_name, one.extra.width], ['file', 'p.png', 2]);
    const two = await a.send({to: bob, file: new Blob(['text'])}).done;
    assert.deepEqual([two.message_type, two.extra], ['file', {file_name: 'file', size: 4}]);
    await assert.rejects(a.send({to: bob, file: new Blob([png(2, 2).subarray(0, 50)])}).done, {code: 'invalid_argument'});
    const stopped = a.send({to: bob, file: new Blob([bytesOf(600000)])});
    assert.equal(a.cancel(stopped.client_msg_id), true);
    await assert.rejects(stopped.done, {code: 'cancelled'});
    assert.deepEqual(a.unsent, []);
});

test('what is refused for its size, and by the quota', needsServer, async () => {
    const [alice] = await friends('alice');
    const a = await open(alice);
    await assert.rejects(a.upload(new Blob([new Uint8Array(4000001)])), {status: 413});
    const first = await a.upload(new Blob([new Uint8Array(3900000)]));
    await a.upload(new Blob([new Uint8Array(3900000)]));
    await assert.rejects(a.upload(new Blob([new Uint8Array(3900000)])), {code: 'quota_exceeded', status: 507, transient: false});
    await a.rest.deleteMedia(first.id);
    await assert.rejects(a.rest.media(first.id), {code: 'not_found'});
});

test('the picture of a user', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const {id} = await a.upload(new TestFile([png(20, 20)], 'me.png'));
    await a.rest.updateMe({avatar_url: `tidings:media/${id}`});
    const {avatar_url} = await b.rest.user(alice);
    assert.deepEqual([...(await plainFetch(b.rest.mediaUrl(avatar_url))).subarray(1, 4)], [...Buffer.from('PNG')]);
});

test('announced, put and completed', needsServer, async () => {
    const [alice] = await friends('alice');
    const {rest} = await open(alice);
    const {id, upload} = await rest.announceMedia({name: 'a.txt', size: 5, content_type: 'text/plain'});
    await fetch(rest.mediaUrl(upload.url), {method: upload.method, headers: upload.headers, body: 'hello'});
    assert.deepEqual([(await rest.completeMedia(id)).size, (await rest.media(id)).name], [5, 'a.txt']);
});

// A proxy that breaks each connection off after so many bytes from the client, `times` times.
async function brokenWire(bytes, times) {
    const {hostname, port} = new URL(url);
    const server = net.createServer((near) => {
        const far = net.connect(port, hostname);
        let seen = 0, broken = false;
        near.on('data', (data) => {
            if (broken)
                return;
            seen += data.length;
            broken = times > 0 && seen >= bytes;
            far.write(broken ? data.subarray(0, data.length - (seen - bytes)) : data);
            if (broken) {
                times--;
                setTimeout(() => near.destroy(), 20);
            }
        });
        far.on('data', (data) => near.write(data));
        for (const socket of [near, far]) {
            socket.on('error', () => {});
            socket.on('close', () => [near, far].forEach((s) => s.destroy()));
        }
    });
    server.unref(); // a test that fails ends
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {url: `http://127.0.0.1:${server.address().port}`, left: () => times, close: () => server.close()};
}

test('connections that break, a worker that dies: it comes whole', needsServer, async () => {
    const [alice] = await friends('alice');
    const wire = await brokenWire(200000, 5);
    const a = await open(alice, {url: wire.url});
    const bytes = bytesOf(3000000);
    let killed = false;
    const media = await a.upload(new TestFile([bytes], 'large.bin'), {onProgress: ({sent}) => {
        if (sent > 1000000 && !killed) {
            killed = true;
            ask('kill_worker');
        }
    }});
    assert.ok(killed);
    assert.equal(wire.left(), 0);
    assert.ok(same(await plainFetch(a.rest.mediaUrl(media.url)), bytes));
    wire.close();
});

test('after a restart the same file goes on where it was', needsServer, async () => {
    const [alice] = await friends('alice');
    const storage = new SlowStorage();
    const bytes = bytesOf(3000000);
    const file = () => new TestFile([bytes], 'large.bin');
    const first = await open(alice, {storage});
    let had = 0;
    await assert.rejects(first.upload(file(), {onProgress: ({sent}) => {
        had = sent;
        if (sent > 300000)
            first.close();
    }}), {code: 'disconnected'});
    const second = await open(alice, {storage});
    const seen = [];
    const media = await second.upload(file(), {onProgress: ({sent}) => seen.push(sent)});
    assert.ok(seen[0] >= had && had > 300000, `${seen[0]} after ${had}`);
    assert.ok(same(await plainFetch(second.rest.mediaUrl(media.url)), bytes));
});
