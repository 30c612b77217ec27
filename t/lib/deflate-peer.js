// SPDX-License-Identifier: BSD-2-Clause
// A client that is not ours, the ws package, against t/ws_echo -z at ECHO_URL: what it negotiates in each of its ways,
// what it sends compressed, plain and in fragments, and what comes back. Prints TAP.
'use strict';
const WebSocket = require('/usr/share/nodejs/ws');
let count = 0;

function ok(good, name) {
	console.log(`${good ? 'ok' : 'not ok'} ${++count} - ${name}`);
	if (!good)
		process.exitCode = 1;
}

function open(options) {
	return new Promise((resolve, reject) => {
		const ws = new WebSocket(process.env.ECHO_URL, {perMessageDeflate: options});
		ws.queue = [];
		ws.on('message', (data) => (ws.waiting ? ws.waiting(String(data)) : ws.queue.push(String(data))));
		ws.on('pong', () => { ws.pongs = (ws.pongs || 0) + 1; });
		ws.on('open', () => resolve(ws));
		ws.on('error', reject);
	});
}

function next(ws) {
	if (ws.queue.length)
		return Promise.resolve(ws.queue.shift());
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error('no echo')), 20000);
		ws.waiting = (text) => {
			clearTimeout(timer);
			ws.waiting = null;
			resolve(text);
		};
	});
}

function text(size) {
	let out = '';
	for (let i = 0; out.length < size; i++)
		out += `κόσμε ${i * 7919 % 1000} 😀 the same words again and again; `;
	return out.slice(0, size).replace(/[\ud800-\udbff]$/, '.');
}

async function echoes(ws, name) {
	let wrong = 0;
	for (const size of [0, 1, 20, 63, 64, 65, 125, 126, 127, 500, 4095, 4096, 32767, 32768, 32769, 65536, 300000]) {
		const t = text(size);
		ws.send(t);
		wrong += await next(ws) !== t;
	}
	ok(wrong === 0, `${name}: texts of all sizes come back as they were`);
	const t = text(5000);
	ws.send(t.slice(0, 1), {fin: false});
	ws.ping('between');
	ws.send('', {fin: false});
	ws.send(t.slice(1, 3000), {fin: false});
	ws.ping('again');
	ws.send(t.slice(3000), {fin: true});
	ok(await next(ws) === t && ws.pongs === 2, `${name}: fragments with pings between`);
	ws.send(t, {compress: false});
	ok(await next(ws) === t, `${name}: one that is not compressed`);
	for (let i = 0; i < 500; i++)
		ws.send(`${i} ${text(i)}`);
	wrong = 0;
	for (let i = 0; i < 500; i++)
		wrong += await next(ws) !== `${i} ${text(i)}`;
	ok(wrong === 0, `${name}: many at once, in order`);
}

async function bytesFor(ws, t) {
	const before = ws._socket.bytesRead;
	ws.send(t);
	await next(ws);
	return ws._socket.bytesRead - before;
}

(async () => {
	const ways = {
		'as it comes': {threshold: 0},
		'no context of ours': {threshold: 0, serverNoContextTakeover: true},
		'no context of theirs': {threshold: 0, clientNoContextTakeover: true},
		'a small window': {threshold: 0, clientMaxWindowBits: 9},
		'fast': {threshold: 0, zlibDeflateOptions: {level: 1, memLevel: 1}},
		'stored': {threshold: 0, zlibDeflateOptions: {level: 0}},
		'Huffman codes alone': {threshold: 0, zlibDeflateOptions: {strategy: 2}},
		'fixed codes': {threshold: 0, zlibDeflateOptions: {strategy: 4}},
	};
	for (let bits = 9; bits <= 15; bits++)
		ways[`${bits} bits asked of us`] = {threshold: 0, serverMaxWindowBits: bits};
	for (const name of Object.keys(ways)) {
		const ws = await open(ways[name]);
		const bits = ways[name].serverMaxWindowBits;
		ok(ws.extensions === 'permessage-deflate', `${name}: negotiated`);
		const params = ws._extensions['permessage-deflate'].params;
		ok(params.server_no_context_takeover && params.client_no_context_takeover && params.server_max_window_bits === bits, `${name}: the terms`);
		await echoes(ws, name);
		const size = 1 << Math.min(bits || 15, 12);
		ok(await bytesFor(ws, 'x'.repeat(size)) < 200, `${name}: ${size} bytes come back compressed`);
		ws.close();
	}
	let ws = await open(false);
	ok(ws.extensions === '', 'without an offer nothing is negotiated');
	await echoes(ws, 'plain');
	ws.close();
	ws = await open({serverMaxWindowBits: 8});
	ok(ws.extensions === '', 'a window of 256 bytes is declined');
	await echoes(ws, 'declined');
	ws.close();
	console.log(`1..${count}`);
})().catch((e) => {
	ok(false, String(e.stack));
	process.exit(1);
});
