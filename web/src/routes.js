/* Every page: pattern (":name?" may be missing, a last "*" takes the rest), page (gets what the pattern names, `rest` and
 * `query`), title for the navigation (null: not in it), under: the navigation's entry that is current there.
 * bare: without header and navigation, for a screen on a wall. */
import { BoardPage } from "./board/board.js";
import { lazy } from "./lazy.js";
import { CsvPage } from "./requests/csv.js";
import { RequestsPage } from "./requests/requests.js";
import { WallPage } from "./board/wall.js";

const CasePage = lazy(() => import("./case/index.js"), "CasePage");
const SyncPage = lazy(() => import("./lists/sync.js"), "SyncPage");
const ConflictsPage = lazy(() => import("./lists/conflicts.js"), "ConflictsPage");
const HeldPage = lazy(() => import("./lists/held.js"), "HeldPage");
const SearchPage = lazy(() => import("./lists/search.js"), "SearchPage");
const AuditPage = lazy(() => import("./lists/audit.js"), "AuditPage");
const PerformancePage = lazy(() => import("./lists/performance.js"), "PerformancePage");
const NewPage = lazy(() => import("./referral/new.js"), "NewPage");

export const ROUTES = [
    { path: "/board", page: BoardPage, title: "Board" },
    { path: "/wall", page: WallPage, bare: true },
    { path: "/new", page: NewPage, title: "New referral" },
    { path: "/requests/csv", page: CsvPage, under: "/requests" },
    { path: "/requests/:way?", page: RequestsPage, title: "Requests", nav: "/requests" },
    { path: "/search", page: SearchPage, title: "Search" },
    { path: "/sync", page: SyncPage, title: "Contact" },
    { path: "/conflicts", page: ConflictsPage, title: "Two versions" },
    { path: "/held", page: HeldPage, title: "Not accepted yet" },
    { path: "/performance", page: PerformancePage, title: "Performance" },
    { path: "/audit", page: AuditPage, title: "Audit" },
    { path: "/case/:id/*", page: CasePage, under: "/board" },
];
