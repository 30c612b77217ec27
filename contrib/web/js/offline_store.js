// SPDX-License-Identifier: BSD-2-Clause
// What a user who stays logged in can read without the server: the newest conversations with their newest messages, in the
// browser's IndexedDB, and nothing that could be used to log in. All of it goes when the login ends. Nothing here throws
// or waits for long: a browser may have no such storage, or forbid it.

const NAME = 'tidings-web', STORE = 'copies';
const VERSION = 1; // of what a row has: to be raised where that changes, for old rows are dropped then
const PATIENCE_MS = 2000;
const PROFILE = ''; // in the place of a conversation's id

function answerOf(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}

function open() {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
        const {result: db} = request;
        if (db.objectStoreNames.contains(STORE))
            db.deleteObjectStore(STORE);
        db.createObjectStore(STORE, {keyPath: ['user', 'id']});
    };
    return answerOf(request);
}

// What `work` gives; null where that takes too long, `failed` where it fails.
async function within(mode, work, failed = null) {
    let db = null;
    const done = (async () => {
        db = await open();
        db.onversionchange = () => db.close();
        const transaction = db.transaction(STORE, mode);
        const ended = new Promise((resolve, reject) => {
            transaction.oncomplete = resolve;
            transaction.onabort = () => reject(transaction.error);
        });
        ended.catch(() => {}); // work may have failed before
        const answer = await work(transaction.objectStore(STORE));
        await ended;
        return answer;
    })();
    const tooLong = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
    try {
        return await Promise.race([done, tooLong]) ?? null;
    } catch {
        return failed;
    } finally {
        done.catch(() => {}).finally(() => db?.close());
    }
}

// All of that user.
function rangeOf(user) {
    return IDBKeyRange.bound([user], [user, []]);
}

// {people, conversations: [{shown, messages, hasOlder}]}; null where there is nothing.
export async function loadCopy(user) {
    const rows = await within('readonly', (store) => answerOf(store.getAll(rangeOf(user))));
    if (!rows?.length)
        return null;
    return {people: rows.find(({id}) => id === PROFILE)?.people ?? null, conversations: rows.filter(({id}) => id !== PROFILE)};
}

// rows: [{id, shown, messages, hasOlder}] to be put in their place; gone: ids whose rows go. Resolves to false where the browser
// refuses it: then all is as before.
export async function storeCopy(user, people, rows, gone) {
    return await within('readwrite', (store) => {
        store.put({user, id: PROFILE, people});
        rows.forEach((row) => store.put({user, ...row}));
        gone.forEach((id) => store.delete([user, id]));
    }, false) !== false;
}

export function forgetCopy(user) {
    return within('readwrite', (store) => answerOf(store.delete(rangeOf(user))));
}

// Those of all others than that user; null: of everybody. For logins that ended where this page could not notice.
export function forgetOtherCopies(user) {
    return within('readwrite', async (store) => {
        const keys = await answerOf(store.getAllKeys());
        keys.filter(([of]) => of !== user).forEach((key) => store.delete(key));
    });
}
