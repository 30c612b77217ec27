// SPDX-License-Identifier: BSD-2-Clause
export {TidingsClient} from './client.js';
export {LoginStore, loginOf} from './login_store.js';
export {Problem} from './problem.js';
export {withReaction} from './reactions.js';
export {messageTypeOf} from './upload.js';
