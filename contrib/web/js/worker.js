// SPDX-License-Identifier: BSD-2-Clause
// The page's side of its service worker (sw.js): registers it, hears which conversation a notification was followed to, and
// knows when a newer version of the page is there. Without one, as over plain http, everything else works.

const WORKER = 'sw.js';
const LOOK_AGAIN_MS = 3600000; // a page that stays open looks for a newer version by itself

// Where a script's address has to be trusted, this one is.
const policy = globalThis.trustedTypes?.createPolicy('service-worker', {createScriptURL: (url) => {
    if (url !== WORKER)
        throw new TypeError(url);
    return url;
}});

let registered = Promise.resolve(null);

async function register() {
    try {
        const registration = await navigator.serviceWorker.register(policy?.createScriptURL(WORKER) ?? WORKER, {updateViaCache: 'none'}) ?? null;
        if (registration !== null)
            setInterval(() => registration.update().catch(() => {}), LOOK_AGAIN_MS);
        return registration;
    } catch {
        return null; // forbidden, or the server has none
    }
}

// isTheirs(): whether the page is that of the user whom the browser tells. onOpen(conversationId): they have followed a
// notification. onNewVersion(): another version of the page has come.
export function startWorker({isTheirs, onOpen, onNewVersion}) {
    const container = navigator.serviceWorker;
    if (typeof container?.register !== 'function')
        return;
    const hadOne = container.controller !== null;
    let changed = false;
    container.addEventListener('controllerchange', () => {
        if (hadOne && !changed)
            onNewVersion();
        changed = true;
    });
    container.addEventListener('message', ({data, ports: [answer]}) => (answer ? answer.postMessage(isTheirs()) : onOpen(data.open)));
    container.startMessages?.();
    // What the page itself needs comes first.
    const loaded = document.readyState === 'complete' ? Promise.resolve() : new Promise((resolve) => addEventListener('load', resolve, {once: true}));
    registered = loaded.then(register);
}

// Resolves to the registration once it is active, or null.
export async function worker() {
    return await registered === null ? null : navigator.serviceWorker.ready;
}
