// SPDX-License-Identifier: BSD-2-Clause
// What is known tells what shows it that something has changed: topics, gathered until the work under way is done, and
// until no pointer is pressed, for what is drawn anew between its going down and up hears no click.
import {whenReleased} from './press.js';

export class Changes {
    #listeners = new Set();
    #topics = new Set();

    // listener(topics: Set). Returns the function that ends it.
    listen(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    changed(...topics) {
        if (this.#topics.size === 0)
            queueMicrotask(() => whenReleased(() => this.#tell()));
        topics.forEach((topic) => this.#topics.add(topic));
    }

    #tell() {
        const topics = this.#topics;
        this.#topics = new Set();
        this.#listeners.forEach((listener) => listener(topics));
    }
}
