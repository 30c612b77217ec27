// SPDX-License-Identifier: BSD-2-Clause
// The services that pushes go to, for t/65-push.t: a Web Push service with the browsers behind it, Google's and Apple's, on one TLS
// port that speaks HTTP/2. usage: node services.js CERTIFICATE KEY LOG. Writes its ports to standard output, and what it
// gets to LOG, a JSON object a line. The plain port is the test's: PUT /answer {path, status, headers, body, hang, times} says what
// is answered to requests whose path contains `path`; POST /subscription makes a browser's subscription.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');

const [, , certificate, key, log] = process.argv;
const browsers = new Map(); // the path of an endpoint -> {ecdh, auth}
let answers = [];
let port = 0;
const hmac = (k, ...parts) => crypto.createHmac('sha256', k).update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();

// RFC 8291 and 8188, from the browser's side.
function decrypt({ecdh, auth}, body) {
    const salt = body.subarray(0, 16), size = body.readUInt32BE(16), length = body[20];
    const point = body.subarray(21, 21 + length), sealed = body.subarray(21 + length);
    if (length !== 65 || sealed.length > size)
        throw new Error('not one record');
    const ikm = hmac(hmac(auth, ecdh.computeSecret(point)), 'WebPush: info\0', ecdh.getPublicKey(), point, '\x01');
    const prk = hmac(salt, ikm);
    const cipher = crypto.createDecipheriv('aes-128-gcm', hmac(prk, 'Content-Encoding: aes128gcm\0\x01').subarray(0, 16),
        hmac(prk, 'Content-Encoding: nonce\0\x01').subarray(0, 12));
    cipher.setAuthTag(sealed.subarray(-16));
    const text = Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
    const end = text.lastIndexOf(2);
    if (text.subarray(end + 1).some((b) => b !== 0))
        throw new Error('no end of the last record');
    return JSON.parse(text.subarray(0, end));
}

// Of a VAPID header: the claims, once its signature holds for the key that it names.
function vapid(header) {
    const [, token, k] = /^vapid t=([^,]+), k=([\w-]+)$/.exec(header);
    const point = Buffer.from(k, 'base64url');
    const jwk = {kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url')};
    const [head, claims, signature] = token.split('.');
    if (!crypto.verify('sha256', Buffer.from(`${head}.${claims}`), {key: crypto.createPublicKey({key: jwk, format: 'jwk'}), dsaEncoding: 'ieee-p1363'}, Buffer.from(signature, 'base64url')))
        throw new Error('the signature is wrong');
    return {k, ...JSON.parse(Buffer.from(claims, 'base64url'))};
}

function take(path, headers, body) {
    const note = {path, headers, at: Date.now()};
    try {
        if (browsers.has(path))
            Object.assign(note, {payload: decrypt(browsers.get(path), body), vapid: vapid(headers.authorization)});
        else if (path.startsWith('/v1/') || path.startsWith('/3/'))
            note.payload = JSON.parse(body);
        else
            note.body = body.toString();
    } catch (e) {
        note.fault = String(e);
    }
    return note;
}

const usual = (path) => path === '/token' ? {status: 200, body: JSON.stringify({access_token: `google-${Date.now()}`, expires_in: 3600, token_type: 'Bearer'})}
    : path.startsWith('/push/') ? {status: 201} : {status: 200, body: '{}'};

function answerTo(path) {
    const found = answers.find((a) => path.includes(a.path));
    if (found && found.times && --found.times === 0)
        answers = answers.filter((a) => a !== found);
    return found || usual(path);
}

const collect = (stream, done) => {
    const parts = [];
    stream.on('data', (part) => parts.push(part)).on('end', () => done(Buffer.concat(parts))).on('error', () => {});
};

const services = http2.createSecureServer({cert: fs.readFileSync(certificate), key: fs.readFileSync(key), allowHTTP1: false});
services.on('stream', (stream, headers) => collect(stream, (body) => {
    const path = headers[':path'], a = answerTo(path);
    fs.appendFileSync(log, `${JSON.stringify({...take(path, headers, body), answered: a.hang ? 0 : a.status})}\n`);
    if (a.hang)
        stream.on('close', () => fs.appendFileSync(log, `${JSON.stringify({path: '', closed: path})}\n`));
    if (a.hang || stream.destroyed)
        return;
    stream.respond({':status': a.status, ...a.headers});
    if (a.unended)
        stream.write(a.body || '{');
    else
        stream.end(a.body || '');
}));
services.on('sessionError', () => {});

const control = http.createServer((req, res) => collect(req, (body) => {
    if (req.url === '/subscription') {
        const path = `/push/${crypto.randomBytes(9).toString('hex')}`, ecdh = crypto.createECDH('prime256v1'), auth = crypto.randomBytes(16);
        const p256dh = ecdh.generateKeys('base64url');
        browsers.set(path, {ecdh, auth});
        res.end(JSON.stringify({path, subscription: {endpoint: `https://127.0.0.1:${port}${path}`, keys: {p256dh, auth: auth.toString('base64url')}}}));
        return;
    }
    const a = JSON.parse(body);
    answers = answers.filter(({path}) => path !== a.path);
    if (a.status || a.hang)
        answers.unshift(a);
    res.end('{}');
}));

services.listen(0, '127.0.0.1', () => control.listen(0, '127.0.0.1', () => {
    port = services.address().port;
    process.stdout.write(`${port} ${control.address().port}\n`);
}));
