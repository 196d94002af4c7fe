import { testSdk } from "./tour.ts";

testSdk("go");
