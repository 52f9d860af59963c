/**
 * The gateway's own client: importing this defines `<chatkit-gateway-chat>`. See `client/element.js`
 * for its options.
 */
export { ChatKitGatewayChat } from "./client/element.js";
