// SPDX-License-Identifier: BSD-2-Clause
// The service worker of the chat page. It keeps the page's own files, so that the page opens without the server, and shows
// what is pushed while no page is open. It keeps no answer of the API, no media and no address with a token: whatever is
// not one of the files goes by.
//
// `make` puts a line before this text, self.PAGE = {version, files: {name: SHA-256}} (contrib/page-files). So the worker
// is another one whenever a file is, and browsers look for that by themselves. Without the line nothing is kept.

const {version, files} = self.PAGE ?? {version: '', files: {}};
const CACHES = 'tidings-page-';
const CACHE = CACHES + version;
const INDEX = './';
const PATIENCE_MS = 4000; // with the server, before the page comes from the cache
const ANSWER_MS = 1000; // for a page to say whose it is
const TURN_MS = 3000; // for a push, before the next one has its turn

const scope = () => self.registration.scope;
const fresh = new Set(); // ids of clients whose page is another one than that in the cache: all their files come from the server

// ---- the files ----

function hexOf(buffer) {
    return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// During an upgrade servers may have files of two versions, of which no whole could be made. index.html is the operator's to
// change (meta elements): it has no digest.
async function keep(cache, [name, digest]) {
    const response = await fetch(new URL(name, scope()), {cache: 'reload', credentials: 'omit'});
    if (!response.ok)
        throw new Error(`${name}: ${response.status}`);
    if (digest !== null && hexOf(await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer())) !== digest)
        throw new Error(`${name} is of another version`);
    await cache.put(new URL(name, scope()), response);
}

const PARALLEL = 6;

async function keepAll() {
    const cache = await caches.open(CACHE);
    const wanted = Object.entries(files);
    const next = async () => {
        for (let file = wanted.shift(); file !== undefined; file = wanted.shift())
            await keep(cache, file);
    };
    try {
        await Promise.all(Array.from({length: PARALLEL}, next));
    } catch (error) {
        await caches.delete(CACHE);
        throw error;
    }
}

// At once: a page that is open has loaded all of its code already.
self.addEventListener('install', (event) => event.waitUntil(keepAll().then(() => self.skipWaiting())));

self.addEventListener('activate', (event) => event.waitUntil((async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(CACHES) && name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
})()));

// Undefined where it is not there, or the browser cannot read its storage: the server has it.
async function cached(name) {
    try {
        return await (await caches.open(CACHE)).match(new URL(name, scope()));
    } catch {
        return undefined;
    }
}

// The server's page where it answers in time. If that is another one than ours, the client gets all from the server: the
// next version is on its way.
async function page(event) {
    const kept = await cached(INDEX);
    if (kept === undefined)
        return fetch(event.request);
    try {
        const response = await fetch(event.request, {signal: AbortSignal.timeout(PATIENCE_MS)});
        if (response.status >= 500)
            return kept;
        if (await response.clone().text() !== await kept.clone().text())
            fresh.add(event.resultingClientId);
        return response;
    } catch {
        return kept;
    }
}

async function file(event, name) {
    return (fresh.has(event.clientId) ? null : await cached(name)) ?? fetch(event.request);
}

// Below the scope, without a query; null where it is elsewhere.
function nameOf(url) {
    const {origin, pathname, search} = new URL(url);
    const {origin: own, pathname: base} = new URL(scope());
    return origin === own && pathname.startsWith(base) && search === '' ? pathname.slice(base.length) : null;
}

self.addEventListener('fetch', (event) => {
    const {method, mode, url} = event.request;
    const name = method === 'GET' ? nameOf(url) : null;
    if (mode === 'navigate' && (name === '' || name === 'index.html'))
        event.respondWith(page(event));
    else if (mode !== 'navigate' && name !== null && Object.hasOwn(files, name))
        event.respondWith(file(event, name));
});

// ---- what is pushed ----

function parsed(data) {
    try {
        const payload = data.json();
        return typeof payload === 'object' && payload !== null ? payload : {};
    } catch {
        return {};
    }
}

function textOf(value) {
    return typeof value === 'string' ? value : '';
}

async function badge(count) {
    if (!Number.isSafeInteger(count) || count < 0)
        return;
    try {
        await (count > 0 ? self.navigator.setAppBadge?.(count) : self.navigator.clearAppBadge?.());
    } catch {
        // not where the page is not installed
    }
}

// Whether the page is that of the user who is told: another one may be logged in in a tab of their own.
function isTheirs(page) {
    return new Promise((resolve) => {
        const {port1, port2} = new MessageChannel();
        port1.onmessage = ({data}) => resolve(data === true);
        setTimeout(resolve, ANSWER_MS, false);
        page.postMessage({whose: 'theirs'}, [port2]);
    });
}

// Those of the user who is told, the one that was used last first.
async function theirPages() {
    const pages = (await self.clients.matchAll({type: 'window'})).filter(({url}) => ['', 'index.html'].includes(nameOf(url.replace(/[?#].*/, ''))));
    const answers = await Promise.all(pages.map(isTheirs));
    return pages.filter((_, i) => answers[i]);
}

// A conversation has one notification, which the next message replaces, and which goes when it was read elsewhere. pages: a
// promise of theirPages().
async function pushed({kind, title, body, conversation_id: conversation}, pages) {
    const tag = textOf(conversation) || textOf(kind) || 'tidings';
    if (kind === 'read') {
        (await self.registration.getNotifications({tag})).forEach((notification) => notification.close());
        return;
    }
    if ((await pages).some(({focused}) => focused))
        return; // the page tells of it
    await self.registration.showNotification(textOf(title) || 'Tidings', {body: textOf(body), tag, renotify: true, icon: 'icon-192.png', badge: 'icon-192.png',
        data: {conversation: textOf(conversation)}});
}

// One after the other, as they came: what was read must not be shown after that. The pages are asked at once, and none is
// waited for long.
let before = Promise.resolve();

function inTurn(payload) {
    const pages = payload.kind === 'read' ? [] : theirPages().catch(() => []); // then it is shown
    const act = () => Promise.race([pushed(payload, pages), new Promise((resolve) => setTimeout(resolve, TURN_MS))]);
    before = before.then(act, act);
    return Promise.all([badge(payload.badge), before]);
}

self.addEventListener('push', (event) => event.waitUntil(inTurn(parsed(event.data))));

// In a page that is open, or a new one.
async function follow({conversation}) {
    const [open] = await theirPages();
    if (open === undefined) {
        await self.clients.openWindow(conversation ? `./#open=${encodeURIComponent(conversation)}` : './');
        return;
    }
    if (conversation)
        open.postMessage({open: conversation});
    await open.focus();
}

self.addEventListener('notificationclick', (event) => {
    event.notification.close();
    event.waitUntil(follow(event.notification.data ?? {}));
});
