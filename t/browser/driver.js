// SPDX-License-Identifier: BSD-2-Clause
// Drives Chromium for t/lib/Tidings/Browser.pm, with playwright-core. A line on standard input, [what, arguments ...] as
// JSON, is answered by one: {"ok": value} or {"error": text}, and with it "seen", what has happened since the last one:
// faults of pages, requests with their answers, frames. When the input ends, whatever the reason, Chromium does too.
import {createServer} from 'node:http';
import net from 'node:net';
import {createInterface} from 'node:readline';
import {chromium} from 'playwright-core';
import {Handshakes} from './handshakes.js';

const [, , executablePath, patience] = process.argv;
const pages = []; // {page, cdp, finger}; a page is known by its place
let seen = [];
const reading = new Set(); // bodies that are under way

// Chromium's WebSockets go through the proxy for https (RFC 6455 section 4.1), that is by CONNECT, and nothing else does.
const proxy = createServer().listen(0, '127.0.0.1');
const tunnels = new Set(); // {near, far} of the WebSockets so far
let cut = false;
proxy.on('connect', ({url}, near) => {
    const {hostname, port} = new URL(`http://${url}`);
    const far = net.connect(Number(port), hostname);
    const refuse = () => near.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    near.on('error', () => far.destroy());
    far.once('error', refuse);
    far.once('connect', () => {
        far.off('error', refuse);
        if (cut)
            return refuse();
        near.write('HTTP/1.1 200 Connected\r\n\r\n');
        tunnels.add({near, far});
        new Handshakes((exchange) => seen.push(exchange)).join(near, far);
    });
});
await new Promise((resolve) => proxy.once('listening', resolve));

const browser = await chromium.launch({executablePath, args: ['--disable-gpu', '--disable-quic', '--disable-sync',
    '--disable-background-networking', '--use-fake-device-for-media-stream', `--proxy-server=https=127.0.0.1:${proxy.address().port}`, '--proxy-bypass-list=<-loopback>']});

// ---- what is seen ----

async function exchangeOf(request) {
    const response = await request.response();
    const {pathname, search} = new URL(request.url());
    const headers = await request.allHeaders();
    const isJson = (headers['content-type'] ?? 'application/json') === 'application/json'; // else the bytes of a file
    return {method: request.method(), path: pathname + search, headers, body: isJson ? request.postData() ?? '' : '',
        answer: {status: response.status(), headers: await response.allHeaders(), body: await response.text()}};
}

// Of the page's own requests. A page that goes takes the bodies along that were not read yet; those are not seen.
function noteRequest(request) {
    if (!['fetch', 'xhr'].includes(request.resourceType()))
        return;
    const done = exchangeOf(request).then((exchange) => seen.push(exchange), () => {}).finally(() => reading.delete(done));
    reading.add(done);
}

async function noteSockets(cdp) {
    cdp.on('Network.webSocketFrameSent', ({requestId, response}) => seen.push({socket: requestId, sent: response.payloadData}));
    cdp.on('Network.webSocketFrameReceived', ({requestId, response}) => seen.push({socket: requestId, received: response.payloadData}));
    await cdp.send('Network.enable');
}

// Only a page itself hears with which code a WebSocket was closed.
function tellCloses() {
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            this.addEventListener('close', ({wasClean, code}) => wasClean && window.noteClose(code));
        }
    };
}

// ---- pages ----

// A new person's page, or another tab of one's: its number. See Tidings::Browser's page().
async function open(url, {beside, before, permissions = [], width = 1100, height = 700, mobile = false, worker = false}) {
    let context = pages[beside]?.page.context();
    if (!context) {
        context = await browser.newContext({viewport: {width, height}, isMobile: mobile, hasTouch: mobile, permissions, serviceWorkers: worker ? 'allow' : 'block'});
        context.setDefaultTimeout(Number(patience));
        context.on('requestfinished', noteRequest);
        await context.exposeFunction('noteClose', (code) => {
            seen.push({closed: code});
        });
        await context.addInitScript(tellCloses);
    }
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    const number = pages.push({page, cdp, mobile, finger: []}) - 1;
    page.on('pageerror', (error) => seen.push({page: number, fault: String(error)}));
    page.on('console', (message) => message.type() === 'error' &&
        seen.push({page: number, fault: `${message.text()} ${message.location().url}`}));
    await noteSockets(cdp);
    if (before)
        await page.addInitScript(before);
    await page.goto(url, {waitUntil: 'domcontentloaded'});
    return number;
}

// The first element of the selector that is to be seen, with that text if one is given.
function find({page}, selector, text = '') {
    const hasText = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return page.locator(selector).filter({visible: true, ...text !== '' && {hasText}}).first();
}

// The network of all WebSockets is gone: those that are open carry nothing any more and do not end, and there are no new
// ones. Or it is back, and what was open ends.
function cutNetwork(gone) {
    cut = gone;
    for (const {near, far} of tunnels) {
        for (const socket of [near, far])
            socket[gone ? 'pause' : 'destroy']();
    }
    if (!gone)
        tunnels.clear();
}

// Of the page's service worker.
function registrationOf(cdp) {
    return new Promise((resolve, reject) => {
        const look = ({registrations}) => {
            const known = registrations.find(({isDeleted}) => !isDeleted);
            if (known === undefined)
                return;
            cdp.off('ServiceWorker.workerRegistrationUpdated', look);
            resolve(known.registrationId);
        };
        cdp.on('ServiceWorker.workerRegistrationUpdated', look);
        cdp.send('ServiceWorker.disable').then(() => cdp.send('ServiceWorker.enable')).catch(reject);
    });
}

const onPage = {
    reload: ({page}) => page.reload({waitUntil: 'domcontentloaded'}),
    go: ({page}, url) => page.goto(url, {waitUntil: 'domcontentloaded'}),
    back: ({page}) => page.goBack({waitUntil: 'domcontentloaded'}),
    close: ({page}) => page.close(),
    value: ({page}, expression) => page.evaluate(expression),
    see: (at, selector, text) => find(at, selector, text).waitFor(),
    // As the person would: with a mouse, or a finger.
    click: (at, selector, text) => find(at, selector, text)[at.mobile ? 'tap' : 'click'](),
    // In the chooser that a click opens.
    files: async (at, selector, text, paths) => {
        const [chooser] = await Promise.all([at.page.waitForEvent('filechooser'), find(at, selector, text)[at.mobile ? 'tap' : 'click']()]);
        await chooser.setFiles(paths);
    },
    hover: (at, selector) => find(at, selector).hover(),
    mouse: ({page}, what, ...args) => page.mouse[what](...args),
    // Retry if the element moved before the touch.
    press: async (at, selector) => {
        const touch = (type, ...touchPoints) => at.cdp.send('Input.dispatchTouchEvent', {type, touchPoints});
        for (const end = Date.now() + Number(patience); Date.now() < end;) {
            const element = find(at, selector);
            await element.tap({trial: true});
            const box = await element.boundingBox();
            if (box === null)
                continue; // it was made anew
            const point = {x: box.x + box.width / 2, y: box.y + box.height / 2};
            await touch('touchStart', point);
            if (await element.evaluate((node, {x, y}) => node.contains(document.elementFromPoint(x, y)), point))
                return;
            await touch('touchCancel');
        }
        throw new Error(`${selector} does not keep still`);
    },
    release: ({cdp}) => cdp.send('Input.dispatchTouchEvent', {type: 'touchEnd', touchPoints: []}),
    key: ({page}, name) => page.keyboard.press(name),
    hold: ({page}, name) => page.keyboard.down(name),
    let_go: ({page}, name) => page.keyboard.up(name),
    insert: ({page}, text) => page.keyboard.type(text),
    select: (at, selector, option) => find(at, selector).selectOption(option),
    fill: async (at, selector, text) => {
        const field = find(at, selector);
        await field.clear();
        await field.pressSequentially(text);
    },
    resize: ({page}, width, height) => page.setViewportSize({width, height}),
    theme: ({page}, colorScheme) => page.emulateMedia({colorScheme}),
    screenshot: ({page}, path) => page.screenshot({path}),
    // As the browser's push service would.
    push: async ({page, cdp}, data) => cdp.send('ServiceWorker.deliverPushMessage',
        {origin: new URL(page.url()).origin, registrationId: await registrationOf(cdp), data}),
    in_worker: ({page}, expression) => page.context().serviceWorkers().at(-1).evaluate(expression),
    cdp: ({cdp}, method, params) => cdp.send(method, params ?? {}),
};

async function obey([what, ...args]) {
    if (what === 'open')
        return open(...args);
    if (what === 'cut')
        return cutNetwork(...args);
    if (what === 'settle')
        return Promise.all(reading);
    const [number, ...rest] = args;
    return onPage[what](pages[number], ...rest);
}

function answer(result) {
    process.stdout.write(`${JSON.stringify({...result, seen})}\n`);
    seen = [];
}

const lines = createInterface(process.stdin);
lines.on('line', (line) => obey(JSON.parse(line)).then((ok) => answer({ok: ok ?? null}), (error) => answer({error: String(error)})));
lines.on('close', () => process.exit()); // and Playwright ends Chromium
